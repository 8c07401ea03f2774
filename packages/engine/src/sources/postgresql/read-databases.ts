/** A logical backup of a server: globals, and every chosen database with its inventory, in the order of their names. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { isSuccess, runTool } from '../../ports/processes.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, textEntry } from '../../ports/stream-entry.ts';
import { reportWarnings } from '../../ports/tool-warnings.ts';
import { chooseDatabases, type DatabaseRow, listDatabases } from './database-list.ts';
import { dumpDatabase } from './dump-database.ts';
import { encryptionWarning } from './encryption-warning.ts';
import { folderNameOf, GLOBALS, ROOT } from './entry-paths.ts';
import { failureOf } from './failures.ts';
import { DUMP_WARNINGS, type DumpParts } from './pg-dump.ts';
import { programsForServer } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import { Server } from './server.ts';
import type { PostgresqlConfig } from './settings.ts';

const GLOBALS_LIMIT_MS = 300_000;
const GLOBALS_END = '-- PostgreSQL database cluster dump complete';

/**
 * Yields the entries. Throws DATABASE_*; a database that is missing or lets nobody in is a problem of the run, unless
 * all are.
 */
export async function* readDatabases(config: PostgresqlConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const server = await Server.open(config, context.tempDir, context.signal);
  try {
    const session = await PsqlSession.open(server, config.maintenanceDatabase, context.signal);
    try {
      yield* readServer({ server, config, context, modifiedAt: systemClock.now() }, session);
    } finally {
      await session.close();
    }
  } finally {
    server.close();
  }
}

async function* readServer(common: Omit<DumpParts, 'programs'>, session: PsqlSession): AsyncGenerator<SourceEntry> {
  const { server, config, context, modifiedAt } = common;
  const { major, version } = session.facts;
  const programs = programsForServer(server.installed, major, version);
  const parts: DumpParts = { ...common, programs };
  context.log('info', `PostgreSQL ${version}, dumped by pg_dump ${programs.version} (${programs.folder}).`);
  const warning = encryptionWarning(server, session);
  if (warning !== null) context.log('warn', warning);
  const chosen = await choose(parts, session);
  yield folderEntry({ path: ROOT, modifiedAt });
  let failure: AppError | null = null;
  let dumped = 0;
  const names = [...chosen.keys(), ...(config.includeGlobals ? [GLOBALS_KEY] : [])].sort(byEntryName);
  for (const name of names) {
    const database = chosen.get(name);
    if (!database) {
      yield await readGlobals(parts, session);
      continue;
    }
    const left = yield* dumpDatabase(parts, database);
    failure ??= left;
    if (left === null) dumped += 1;
  }
  if (failure && dumped === 0) throw failure;
}

/** No database is called this. */
const GLOBALS_KEY = '\0globals';

function byEntryName(a: string, b: string): number {
  const name = (key: string) => (key === GLOBALS_KEY ? GLOBALS : folderNameOf(key));
  return Buffer.compare(Buffer.from(name(a)), Buffer.from(name(b)));
}

async function choose({ server, config, context }: DumpParts, session: PsqlSession): Promise<Map<string, DatabaseRow>> {
  const { chosen, missing } = chooseDatabases(await listDatabases(session), config);
  const absent = (name: string) =>
    new AppError('DATABASE_NOT_FOUND', { name: `database "${name}"`, server: server.label });
  for (const name of missing) {
    const error = absent(name);
    if (missing.length === config.databases.length) throw error;
    context.problem({ path: `${ROOT}/${folderNameOf(name)}`, code: 'unreadable', message: error.message });
  }
  if (chosen.length === 0 && !config.includeGlobals) {
    throw new AppError('DATABASE_NOT_FOUND', { name: 'database to back up', server: server.label });
  }
  return new Map(chosen.map((database) => [database.name, database]));
}

async function readGlobals(parts: DumpParts, session: PsqlSession): Promise<SourceEntry> {
  const { server, programs, config, context, modifiedAt } = parts;
  const [mayRead] = await session.query<{ passwords: boolean }>(
    "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS passwords",
  );
  const path = `${ROOT}/${GLOBALS}`;
  const hasPasswords = mayRead?.passwords === true;
  if (!hasPasswords) {
    const message = `"${config.dbUser}" may not read the passwords of roles; they are not in the backup.`;
    context.problem({ path, code: 'unreadable', message });
  }
  const args = [
    ...['--globals-only', '--no-password', ...(hasPasswords ? [] : ['--no-role-passwords'])],
    ...[`--database=${config.maintenanceDatabase}`, `--dbname=${server.conninfo(config.maintenanceDatabase)}`],
  ];
  const command = server.command(programs, 'pg_dumpall', args);
  const said = await runTool(command, { signal: context.signal, timeoutMs: GLOBALS_LIMIT_MS });
  if (!isSuccess(said)) throw failureOf(said, server.place('pg_dumpall', config.maintenanceDatabase));
  // A random key in two lines for psql would make every dump another one.
  const text = said.text.replace(/^\\(un)?restrict .*\n/gm, '');
  if (!text.includes(GLOBALS_END)) {
    throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: 'globals', reason: 'its last line is missing' });
  }
  reportWarnings(said.messages, { path, context, style: DUMP_WARNINGS });
  return textEntry({ path, modifiedAt, text });
}
