/** One database: dump and inventory of the same moment, which a session holds while pg_dump reads. */
import { AppError } from '@backupx/contracts/errors';
import { countObjects } from '../../ports/database-inventory.ts';
import { outputOf, startTool, type ToolProcess } from '../../ports/processes.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import type { DatabaseRow } from './database-list.ts';
import { dumpObjects, findGaps, inventoryText, withRows } from './dump-inventory.ts';
import { DUMP, folderNameOf, INVENTORY, ROOT } from './entry-paths.ts';
import { failureOf } from './failures.ts';
import type { Programs } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';
import { countRows, readServerObjects } from './server-objects.ts';
import type { PostgresqlConfig } from './settings.ts';

/** What all databases of a run share. */
export interface DumpParts {
  readonly server: Server;
  readonly programs: Programs;
  readonly config: PostgresqlConfig;
  readonly context: BackupContext;
  readonly modifiedAt: Date;
}

/** Rows of larger tables are counted in the dump alone: the server would have to read them twice. */
const COUNT_LIMITS = { maxTableBytes: 64 * 1024 * 1024, budgetMs: 30_000 };
const LOCK_LIMIT = '10min';

/** A database that cannot be got into at all is a problem of the run; what fails once it has begun, fails the run. */
const SKIPPED_CODES = ['DATABASE_NOT_FOUND', 'DATABASE_PERMISSION', 'DATABASE_AUTH'];

/** Yields its folder, dump and inventory; answers the error when it had to be left out. */
export async function* dumpDatabase(
  parts: DumpParts,
  database: DatabaseRow,
): AsyncGenerator<SourceEntry, AppError | null> {
  const { server, context, modifiedAt } = parts;
  const folder = `${ROOT}/${folderNameOf(database.name)}`;
  let session: PsqlSession;
  let snapshot: string;
  try {
    if (!database.isOpen) throw closed(server, database.name);
    session = await PsqlSession.open(server, database.name, context.signal);
    snapshot = await exportSnapshot(session);
  } catch (error) {
    if (!(error instanceof AppError) || !SKIPPED_CODES.includes(error.code)) throw error;
    context.problem({ path: folder, code: 'unreadable', message: error.message });
    return error;
  }
  try {
    const scanner = new ArchiveScanner();
    yield folderEntry({ path: folder, modifiedAt });
    const stream = dumpStream(parts, { database: database.name, snapshot, scanner });
    yield streamEntry({ path: `${folder}/${DUMP}`, modifiedAt, stream });
    const text = await takeInventory(parts, { database, session, scanner });
    yield textEntry({ path: `${folder}/${INVENTORY}`, modifiedAt, text });
    return null;
  } finally {
    await session.close();
  }
}

function closed(server: Server, name: string): AppError {
  const { dbUser: user } = server.settings;
  return new AppError('DATABASE_PERMISSION', {
    user,
    server: server.label,
    action: `connect to "${name}": it lets nobody in`,
  });
}

async function exportSnapshot(session: PsqlSession): Promise<string> {
  await session.run('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;');
  const [row] = await session.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
  if (!row) throw new AppError('SOURCE_FAILED', { reason: 'the server exported no snapshot' });
  return row.snapshot;
}

async function* dumpStream(
  { server, programs, config, context }: DumpParts,
  { database, snapshot, scanner }: { database: string; snapshot: string; scanner: ArchiveScanner },
): AsyncGenerator<Uint8Array> {
  const args = [
    ...['--format=custom', '--compress=0', '--no-password', `--lock-wait-timeout=${LOCK_LIMIT}`],
    ...[`--snapshot=${snapshot}`, ...filterArguments(config), `--dbname=${server.conninfo(database)}`],
  ];
  const tool = startTool(server.command(programs, 'pg_dump', args), context.signal);
  tool.endInput();
  const output = outputOf(tool, {
    signal: context.signal,
    failure: (end) => failureOf(end, server.place('pg_dump', database)),
  });
  yield* scanned(output, scanner, (reason) => new AppError('DATABASE_DUMP_INCOMPLETE', { name: database, reason }));
  await reportWarnings(tool, database, context);
}

function filterArguments(config: PostgresqlConfig): string[] {
  const each = (option: string, values: readonly string[]) => values.map((value) => `--${option}=${value}`);
  const chosen = [...each('schema', config.schemas), ...each('table', config.tables)];
  return [
    ...chosen,
    // A name with a slip in it must not become an empty backup.
    ...(chosen.length > 0 ? ['--strict-names'] : []),
    ...each('exclude-schema', config.excludeSchemas),
    ...each('exclude-table', config.excludeTables),
    ...each('exclude-table-data', config.excludeTableData),
  ];
}

/** What pg_dump warns of although it ends well. */
async function reportWarnings(tool: ToolProcess, database: string, context: BackupContext): Promise<void> {
  const { messages } = await tool.ended;
  for (const line of messages.split('\n')) {
    const warning = /^pg_dump: warning: (.*)/.exec(line)?.[1];
    if (warning === undefined) continue;
    context.problem({ path: `${ROOT}/${folderNameOf(database)}/${DUMP}`, code: 'unsupported', message: warning });
  }
}

async function takeInventory(
  { config, programs, context }: DumpParts,
  { database, session, scanner }: { database: DatabaseRow; session: PsqlSession; scanner: ArchiveScanner },
): Promise<string> {
  const toc = scanner.end();
  const inDump = dumpObjects(toc, scanner);
  const filters = [config.schemas, config.excludeSchemas, config.tables, config.excludeTables, config.excludeTableData];
  const isFiltered = filters.some((list) => list.length > 0);
  if (!isFiltered) {
    const onServer = withRows(await readServerObjects(session), await countRows(session, COUNT_LIMITS));
    for (const message of findGaps(onServer, inDump)) {
      context.problem({ path: `${ROOT}/${folderNameOf(database.name)}/${DUMP}`, code: 'unreadable', message });
    }
  }
  context.log('info', `Dumped database "${database.name}": ${countObjects(inDump)}.`);
  const { encoding, collate, ctype, owner } = database;
  const compared = isFiltered ? 'no, filters left out a part' : 'yes';
  return inventoryText({
    database: database.name,
    serverVersion: session.facts.version,
    toolVersion: programs.version,
    objects: inDump,
    details: { encoding, collate, ctype, owner, comparedWithServer: compared },
  });
}
