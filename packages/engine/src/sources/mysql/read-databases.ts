/** The reading half: databases in the order of their names, each as a dump and what it holds; then users and rights. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { countObjects, formatInventory } from '../../ports/database-inventory.ts';
import { byBytes, chooseDatabases, type DatabaseChoice } from '../../ports/database-names.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { reportWarnings } from '../../ports/tool-warnings.ts';
import { MysqlConnection, type Tool } from './connection.ts';
import { DatabaseDump } from './dump-database.ts';
import { describeUnencoded, listDatabases } from './list-databases.ts';
import { canNotePosition, missingRights, nothingReadable, type Privileges, readPrivileges } from './privileges.ts';
import { readGrants } from './read-grants.ts';
import type { MysqlConfig } from './settings.ts';
import { folderName, GRANTS_FILE } from './sql-text.ts';

interface Reading {
  readonly config: MysqlConfig;
  readonly context: BackupContext;
  readonly connection: MysqlConnection;
  readonly tool: Tool;
  readonly privileges: Privileges;
  readonly withPosition: boolean;
}

/** Yields the entries. Throws DATABASE_*; a database that is missing or has gaps is a problem. */
export async function* readDatabases(config: MysqlConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const connection = await MysqlConnection.open(config, context);
  try {
    const tool = await connection.findDumper();
    const choice = chooseDatabases(await listDatabases(connection), config);
    reportMissing(choice, connection, context);
    for (const message of await describeUnencoded(connection, config)) {
      context.problem({ path: '/mysql', code: 'unreadable', message });
    }
    const privileges = await readPrivileges(connection);
    const withPosition = config.withPosition && (await canNotePosition(connection, privileges));
    context.log('info', `${connection.serverName} at ${connection.address}, dumped by ${tool.path}.`);
    const reading = { config, context, connection, tool, privileges, withPosition };
    yield folderEntry({ path: '/mysql', modifiedAt: systemClock.now() });
    const folders = choice.names.map((name) => ({ name, folder: folderName(name) }));
    const grants = config.withGrants ? [{ name: null, folder: GRANTS_FILE }] : [];
    for (const { name, folder } of [...folders, ...grants].sort((a, b) => byBytes(a.folder, b.folder))) {
      if (name === null) yield* grantEntries(reading);
      else yield* databaseEntries(reading, name, `/mysql/${folder}`);
    }
  } finally {
    connection.close();
  }
}

function reportMissing({ names, missing }: DatabaseChoice, connection: MysqlConnection, context: BackupContext): void {
  const [first] = missing;
  if (names.length === 0 && first !== undefined) {
    throw new AppError('DATABASE_NOT_FOUND', { name: `database ${missing.join(', ')}`, server: connection.address });
  }
  if (names.length === 0) throw nothingReadable(connection);
  for (const name of missing) {
    const message = `there is no database ${name} on ${connection.address}`;
    context.problem({ path: `/mysql/${folderName(name)}`, code: 'unreadable', message });
  }
}

async function* databaseEntries(reading: Reading, database: string, path: string): AsyncGenerator<SourceEntry> {
  const { context, connection, privileges } = reading;
  const problem = (message: string) => context.problem({ path, code: 'unreadable', message });
  for (const lost of missingRights(privileges, connection.server, database)) problem(lost);
  const dump = await DatabaseDump.open({ ...reading, database });
  const modifiedAt = systemClock.now();
  if (dump.unsafeTables.length > 0) {
    const tables = dump.unsafeTables.slice(0, 10).join(', ');
    context.log('warn', `${database}: tables without transactions may change while they are dumped: ${tables}`);
  }
  yield folderEntry({ path, modifiedAt });
  yield streamEntry({ path: `${path}/dump.sql`, modifiedAt, stream: dump.stream() });
  const { inventory } = dump;
  for (const gap of dump.gaps) problem(gap);
  reportWarnings(dump.messages, { path, context });
  context.log('info', `${database}: ${countObjects(inventory.objects)}`);
  yield textEntry({ path: `${path}/inventory.json`, modifiedAt, text: formatInventory(inventory) });
}

async function* grantEntries({ context, connection, privileges }: Reading): AsyncGenerator<SourceEntry> {
  const path = `/mysql/${GRANTS_FILE}`;
  const text = await readGrants(connection, privileges);
  if (text === null) context.log('info', 'Users and their rights are not stored: the user may not read them.');
  else yield textEntry({ path, modifiedAt: systemClock.now(), text });
}
