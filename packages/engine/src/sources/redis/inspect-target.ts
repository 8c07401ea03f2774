/** What a restore would replace in a running server, or which file of a stopped one; and who uses it. */
import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import { nameOfServer, newNumbers, type RedisConfig, redisRestoreSchema, serverOfRestore } from './config.ts';
import { RedisConnection } from './connection.ts';
import { appendOnlyFileIn, serversIn } from './place-dump.ts';
import { type Mark, readMark } from './restore-marks.ts';
import { readFacts } from './server-facts.ts';
import { listSessions } from './sessions.ts';

/** Throws DATABASE_*. */
export async function inspectTarget(config: RedisConfig, context: TargetContext): Promise<TargetInspection> {
  const options = redisRestoreSchema.parse(context.options);
  if (options.dumpPath !== '') return lookAtFile(options.dumpPath, options.replaceExisting);
  const server = serverOfRestore(config, options);
  const connection = await RedisConnection.open(server, context.signal);
  try {
    return await lookAtServer(connection, server, newNumbers(options.rename));
  } finally {
    connection.close();
  }
}

/** Which numbers the dump holds shows only when it is read, so all that are not empty may be among them. */
async function lookAtServer(
  connection: RedisConnection,
  server: RedisConfig,
  renames: ReadonlyMap<number, number>,
): Promise<TargetInspection> {
  const { keys, server: product } = await readFacts(connection);
  if (keys === null) {
    const action = 'ask what a restore would replace (INFO)';
    throw new AppError('DATABASE_PERMISSION', {
      ...{ server: nameOfServer(server), user: server.dbUser || 'default', action },
    });
  }
  const fresh = new Set(renames.values());
  const candidates = [...keys.keys()].filter((database) => fresh.has(database) || !renames.has(database));
  const sessions = await listSessions(connection);
  const databases = [];
  const notes: string[] = [];
  for (const database of candidates) {
    const mark = await readMark(connection, database);
    if (mark !== null && mark.kind !== 'late') {
      notes.push(wordsOfMark(database, mark));
      continue;
    }
    const users = (sessions ?? []).filter((session) => session.database === database);
    const others = users.map(({ id, user, address, program, since }) => ({ id, user, address, program, since }));
    databases.push({ name: `db${database}`, exists: true, sizeBytes: null, sessions: others });
  }
  if (databases.length > 0) {
    notes.push(
      'Databases of the server that are not in the backup stay as they are: which are in it shows as it is read.',
    );
  }
  if (sessions === null) notes.push('Who is connected is unknown: the user may not run CLIENT LIST.');
  return { server: nameOfServer(server), databases, notes, product };
}

/** One that another restore is making, or has left. */
function wordsOfMark(database: number, { kind }: Mark): string {
  const what =
    kind === 'replaced'
      ? 'holds what a restore has replaced and not yet emptied'
      : 'is one that a restore makes at the moment';
  return `Database ${database} ${what}; when that was killed, a restore ten minutes later empties it.`;
}

function lookAtFile(path: string, isReplaced: boolean): TargetInspection {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || stat.size === 0) {
    return { server: '', databases: [{ name: path, exists: false, sizeBytes: null, sessions: [], canBeSaved: false }] };
  }
  const folder = realpathSync(dirname(path));
  const sessions = serversIn(folder).map(({ pid, program }) => {
    return { id: pid, user: '', address: '', program, since: null };
  });
  // Otherwise it stops the restore.
  const kept = `${path} is kept beside the new file as ${path}.replaced-…; no backup of it is made.`;
  const notes = isReplaced ? [kept] : [];
  if (sessions.length > 0) notes.push('The server must be stopped before: it would write over the file.');
  const aof = appendOnlyFileIn(folder);
  if (aof !== null) notes.push(`${aof} is beside it: a server with "appendonly yes" reads that instead of the file.`);
  const file = { name: path, exists: true, sizeBytes: stat.size, sessions, canBeSaved: false };
  return { server: '', databases: [file], notes };
}

/** A dump holds all databases of the server, so the ones that are replaced are in it. */
export function targetSettings(config: RedisConfig, options: Readonly<Record<string, unknown>>): RedisConfig {
  return serverOfRestore(config, redisRestoreSchema.parse(options));
}
