/** Who else is connected to a server, by the database each has selected. */
import type { DatabaseSession } from '@backupx/contracts/jobs';
import { systemClock } from '../../ports/clock.ts';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';

export interface RedisSession extends DatabaseSession {
  readonly database: number;
}

/** Replicas, the primary server, monitors and subscribers work with no keys of the database they have selected. */
const NO_READER = /[SMOP]/;
/** Its connections ask how the server is, and touch no key. */
const SENTINEL = /^sentinel-[0-9a-f]{8}-(cmd|pubsub)$/;

/** Null: the user may not ask (CLIENT LIST). Throws DATABASE_UNREACHABLE and the like. */
export async function listSessions(server: RedisConnection): Promise<RedisSession[] | null> {
  const own = await server.ask('CLIENT', 'ID');
  const list = await server.ask('CLIENT', 'LIST');
  if (list instanceof RedisRefusal || own instanceof RedisRefusal) return null;
  return parseClients(String(list), { ownId: String(own), now: systemClock.now() });
}

/** Exported for its test: `id=3 addr=127.0.0.1:5000 name= age=7 flags=N db=0 cmd=get user=default …`, one per line. */
export function parseClients(text: string, { ownId, now }: { ownId: string; now: Date }): RedisSession[] {
  return text.split('\n').flatMap((line) => {
    const fields = new Map(line.split(' ').map((word) => [word.replace(/=.*/, ''), word.replace(/^[^=]*=/, '')]));
    const field = (name: string) => fields.get(name) ?? '';
    const [id, name, database] = [field('id'), field('name'), Number(field('db') || Number.NaN)];
    if (id === '' || id === ownId || !Number.isInteger(database)) return [];
    if (NO_READER.test(field('flags')) || SENTINEL.test(name)) return [];
    const since = new Date(now.getTime() - Number(field('age') || 0) * 1000);
    const program = name || field('lib-name') || field('cmd');
    const [user, address] = [field('user'), field('addr')];
    return [{ id, user, address, program, since: since.toISOString().replace(/\.\d+Z$/, 'Z'), database }];
  });
}
