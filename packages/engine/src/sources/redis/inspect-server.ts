import type { InspectContext, SourceInspection } from '../../ports/source.ts';
import type { RedisConfig } from './config.ts';
import { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';
import { findServerProgram } from './scratch-server.ts';
import { readFacts, type ServerFacts } from './server-facts.ts';

const READ_ONLY_USER = [
  "ACL SETUSER backupx on '>choose a password' resetkeys resetchannels -@all \\",
  '  +ping +info +select +dbsize +replconf +sync +psync +command|info +acl|whoami +acl|dryrun',
  'ACL SAVE',
].join('\n');

/** Logs in as a backup does and looks whether it may replicate, without starting it. Throws DATABASE_*. */
export async function inspectServer(config: RedisConfig, { signal }: InspectContext): Promise<SourceInspection> {
  const connection = await RedisConnection.open(config, signal);
  try {
    const facts = await readFacts(connection);
    const warnings = [...warningsOf(facts), ...(await replicationWarnings(connection)), ...toolWarnings()];
    const databases = [...(facts.keys ?? [])].map(([database]) => ({ name: `db${database}`, sizeBytes: null }));
    return { server: facts.server, tool: '', databases, warnings, readOnlyUserSql: READ_ONLY_USER };
  } finally {
    connection.close();
  }
}

function warningsOf({ isCluster, isReplica, isLinkDown, keys }: ServerFacts): string[] {
  const warnings: string[] = [];
  if (isCluster)
    warnings.push('This node holds only its part of the cluster: every primary node needs a task of its own.');
  if (isReplica) warnings.push('This is a replica: what it holds may be older than on its primary server.');
  if (isLinkDown) warnings.push('This replica has no connection to its primary server.');
  if (keys === null) warnings.push('The user may not run INFO, so versions and keys on the server are unknown.');
  return warnings;
}

async function replicationWarnings(connection: RedisConnection): Promise<string[]> {
  const commands = await connection.ask('COMMAND', 'INFO', 'sync', 'psync');
  if (Array.isArray(commands) && commands.every((command) => command === null)) {
    return [
      'The server has no SYNC and PSYNC (services of clouds often forbid them): it cannot be backed up this way.',
    ];
  }
  const user = await connection.ask('ACL', 'WHOAMI');
  if (user instanceof RedisRefusal || user === null) return [];
  const refusals: string[] = [];
  for (const command of [['SYNC'], ['PSYNC', '?', '-1']]) {
    const reply = await connection.ask('ACL', 'DRYRUN', String(user), ...command);
    // A server from before 7.0, or a user who may not ask.
    if (reply instanceof RedisRefusal) return [];
    if (String(reply) !== 'OK') refusals.push(String(reply));
  }
  return refusals.length === 2 ? [`The user may not replicate: ${refusals[0]}`] : [];
}

/** Backups need no program, restores into a running server do. */
function toolWarnings(): string[] {
  try {
    findServerProgram();
    return [];
  } catch {
    return ['redis-server is not installed on this machine: a restore into a running server and deep checks need it.'];
  }
}
