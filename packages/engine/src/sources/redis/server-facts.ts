import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';

/** What a server says about itself. */
export interface ServerFacts {
  /** `Redis 7.0.15`, `Valkey 8.1.0`. */
  readonly server: string;
  readonly version: readonly number[];
  readonly isCluster: boolean;
  readonly isReplica: boolean;
  /** Not connected to the server it is a replica of. */
  readonly isLinkDown: boolean;
  /** Keys that it threw out so far because its memory was full; 0 where it may not be asked. */
  readonly evictedKeys: number;
  /** Keys per database at this moment, expired ones perhaps among them; null: it may not be asked. */
  readonly keys: ReadonlyMap<number, number> | null;
}

/** Asks INFO; a user who may not gets facts without content. Throws DATABASE_UNREACHABLE and the like. */
export async function readFacts(connection: RedisConnection): Promise<ServerFacts> {
  const reply = await connection.ask('INFO');
  if (reply instanceof RedisRefusal) {
    if (reply.code !== 'NOPERM') throw connection.failure(reply, 'read INFO');
    const unknown = {
      server: 'Redis',
      version: [],
      isCluster: false,
      isReplica: false,
      isLinkDown: false,
      evictedKeys: 0,
    };
    return { ...unknown, keys: null };
  }
  return parseInfo(String(reply));
}

/** Exported for its test. */
export function parseInfo(text: string): ServerFacts {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const keys = new Map<number, number>();
  for (const [name, value] of fields) {
    const database = /^db(\d+)$/.exec(name)?.[1];
    const count = /^keys=(\d+)/.exec(value)?.[1];
    if (database !== undefined && count !== undefined) keys.set(Number(database), Number(count));
  }
  const valkey = fields.get('valkey_version');
  const version = valkey ?? fields.get('redis_version') ?? '';
  return {
    server: `${valkey === undefined ? 'Redis' : 'Valkey'} ${version}`.trim(),
    version: version.split('.').map(Number),
    isCluster: fields.get('cluster_enabled') === '1' || fields.get('redis_mode') === 'cluster',
    isReplica: fields.get('role') === 'slave',
    isLinkDown: fields.get('master_link_status') === 'down',
    evictedKeys: Number(fields.get('evicted_keys') ?? 0),
    keys,
  };
}
