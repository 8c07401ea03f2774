/** The reading half: databases in the order of their names, each as a dump and what it holds; then users and roles. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { countObjects, formatInventory } from '../../ports/database-inventory.ts';
import { byBytes, chooseDatabases, type DatabaseChoice } from '../../ports/database-names.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { reportWarnings } from '../../ports/tool-warnings.ts';
import { MongodbConnection } from './connection.ts';
import { userOf } from './connection-string.ts';
import { DatabaseDump } from './dump-database.ts';
import { ServerDump } from './dump-server.ts';
import { DUMP, folderName, INVENTORY, ROOT, USERS } from './entry-paths.ts';
import { listDatabases } from './list-databases.ts';
import { missingRights, readPrivileges } from './privileges.ts';
import type { MongodbConfig } from './settings.ts';
import { chooseTool, describeTool, type Tool } from './tools.ts';
import { readUsers } from './users.ts';

interface Reading {
  readonly config: MongodbConfig;
  readonly context: BackupContext;
  readonly connection: MongodbConnection;
  readonly tool: Tool | null;
}

/** Yields the entries. Throws DATABASE_*; a database that is missing or has gaps is a problem. */
export async function* readDatabases(config: MongodbConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const tool = await chooseTool('mongodump', config, context.signal);
  const connection = await MongodbConnection.open(config, context);
  try {
    tellHow(connection, tool, context);
    const reading = { config, context, connection, tool };
    yield folderEntry({ path: ROOT, modifiedAt: systemClock.now() });
    if (config.oplog) yield* serverEntries(reading);
    else yield* allDatabases(reading);
  } finally {
    await connection.close();
  }
}

function tellHow({ serverName, address, facts }: MongodbConnection, tool: Tool | null, context: BackupContext): void {
  const how = tool ? `${tool.path} ${tool.version}`.trim() : 'BackupX itself (mongodump is not used)';
  context.log('info', `${serverName} at ${address}, dumped by ${how}.`);
  if (facts.isSharded) {
    context.log('warn', 'This is a sharded cluster: what is written meanwhile may be in the dump on one shard only.');
  }
}

async function* allDatabases(reading: Reading): AsyncGenerator<SourceEntry> {
  const { config, context, connection } = reading;
  const all = await listDatabases(connection);
  const choice = chooseDatabases(
    all.map(({ name }) => name),
    config,
  );
  reportMissing(choice, reading);
  const privileges = await readPrivileges(connection);
  const folders = choice.names.map((name) => ({ name, folder: folderName(name) }));
  const users = config.withUsers ? [{ name: null, folder: USERS }] : [];
  for (const { name, folder } of [...folders, ...users].sort((a, b) => byBytes(a.folder, b.folder))) {
    if (name === null) {
      yield* userEntries(reading);
      continue;
    }
    const path = `${ROOT}/${folder}`;
    for (const message of missingRights(privileges, name)) context.problem({ path, code: 'unreadable', message });
    yield* databaseEntries(reading, name, path);
  }
}

function reportMissing({ names, missing }: DatabaseChoice, { connection, context, config }: Reading): void {
  const server = connection.address;
  if (names.length === 0 && missing.length > 0) {
    throw new AppError('DATABASE_NOT_FOUND', { name: `database ${missing.join(', ')}`, server });
  }
  if (names.length === 0) {
    throw new AppError('DATABASE_PERMISSION', { user: userOf(config), server, action: 'see a database' });
  }
  for (const name of missing) {
    const message = `there is no database ${name} on ${server}`;
    context.problem({ path: `${ROOT}/${folderName(name)}`, code: 'unreadable', message });
  }
}

async function* databaseEntries(reading: Reading, database: string, path: string): AsyncGenerator<SourceEntry> {
  const { context } = reading;
  const note = (message: string) => context.log('warn', message);
  const dump = await DatabaseDump.open({ ...reading, database, note });
  const modifiedAt = systemClock.now();
  yield folderEntry({ path, modifiedAt });
  yield streamEntry({ path: `${path}/${DUMP}`, modifiedAt, stream: dump.stream() });
  const { inventory, gaps, messages } = dump;
  for (const message of gaps) context.problem({ path, code: 'unreadable', message });
  reportWarnings(messages, { path, context });
  context.log('info', `${database}: ${countObjects(inventory.objects)}`);
  yield textEntry({ path: `${path}/${INVENTORY}`, modifiedAt, text: formatInventory(inventory) });
}

async function* serverEntries({ config, context, connection, tool }: Reading): AsyncGenerator<SourceEntry> {
  const dump = await ServerDump.open({ config, connection, tool });
  const modifiedAt = systemClock.now();
  yield streamEntry({ path: `${ROOT}/${DUMP}`, modifiedAt, stream: dump.stream() });
  const { inventory, gaps, messages } = dump;
  for (const message of gaps) context.problem({ path: ROOT, code: 'unreadable', message });
  reportWarnings(messages, { path: ROOT, context });
  context.log('info', `${connection.address}: ${countObjects(inventory.objects)}, ${describeTool(tool)}`);
  yield textEntry({ path: `${ROOT}/${INVENTORY}`, modifiedAt, text: formatInventory(inventory) });
}

async function* userEntries({ context, connection }: Reading): AsyncGenerator<SourceEntry> {
  const text = await readUsers(connection);
  if (text === null) context.log('info', 'Users and roles are not stored: the user may not read them.');
  else yield textEntry({ path: `${ROOT}/${USERS}`, modifiedAt: systemClock.now(), text });
}
