/**
 * The source of Redis and Valkey servers: the RDB file a replica would get, over a socket, a port or TLS, checked byte by
 * byte while it passes. No program of others is needed for it, and nothing is written to a disk on the way.
 *
 * - One dump holds every database of a server, with the times of expiry and the functions. Users and settings are not in it.
 * - A restore into a running server changes nothing before all of it is there (`live-restore.ts`).
 * - A cluster is backed up node by node.
 */
import { defineSource } from '../../ports/source.ts';
import { redisConfigSchema, redisRestoreSchema } from './config.ts';
import { ROOT } from './entry-paths.ts';
import { readRedis } from './read-lazily.ts';

export const redisSource = defineSource({
  type: 'redis',
  title: 'Redis and Valkey',
  config: redisConfigSchema,
  restoreConfig: redisRestoreSchema,
  verify: 'restore',
  snapshotPaths: () => [ROOT],
  entries: readRedis,
  restore: async (config, context) => await (await import('./restore-session.ts')).openRestoreSession(config, context),
  inspect: async (config, context) => await (await import('./inspect-server.ts')).inspectServer(config, context),
  inspectTarget: async (config, context) => (await import('./inspect-target.ts')).inspectTarget(config, context),
  savedServer: async (entry) => (await import('./saved-server.ts')).savedServer(entry),
  targetSettings: async (config, options) => (await import('./inspect-target.ts')).targetSettings(config, options),
  openVerifier: async (_config, context) => (await import('./verifier.ts')).openRedisVerifier(context),
});
