/** One database: dump and inventory of the same moment, which a session holds while pg_dump reads. */
import { AppError } from '@backupx/contracts/errors';
import { countObjects } from '../../ports/database-inventory.ts';
import type { SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import type { DatabaseRow } from './database-list.ts';
import { dumpIntoFiles } from './dump-into-files.ts';
import { dumpObjects, findGaps, findTablesWithoutRows, inventoryText, withRows } from './dump-inventory.ts';
import { dumpPath, folderNameOf, INVENTORY, ROOT } from './entry-paths.ts';
import { FolderScanner } from './folder-scanner.ts';
import { type DumpMoment, type DumpParts, isFiltered, runDump } from './pg-dump.ts';
import { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';
import { countRows, listTablesWithRows, readServerObjects } from './server-objects.ts';

/** Rows of larger tables are counted in the dump alone: the server would have to read them twice. */
const COUNT_LIMITS = { maxTableBytes: 64 * 1024 * 1024, budgetMs: 30_000 };

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
    yield folderEntry({ path: folder, modifiedAt });
    const scanner = yield* dumpEntries(parts, { database: database.name, session, snapshot });
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

const DUMP_FORMAT = ['--format=custom'];

/** The dump itself: one file that streams, or many. */
async function* dumpEntries(parts: DumpParts, dump: DumpMoment): AsyncGenerator<SourceEntry, DumpCounts> {
  const { database } = dump;
  const failure = (reason: string) => new AppError('DATABASE_DUMP_INCOMPLETE', { name: database, reason });
  if (parts.config.format === 'directory') {
    const scanner = new FolderScanner(failure);
    yield* dumpIntoFiles(parts, { ...dump, scanner });
    return scanner;
  }
  const scanner = new ArchiveScanner();
  const stream = scanned(runDump(parts, { ...dump, format: DUMP_FORMAT }), scanner, failure);
  yield streamEntry({ path: dumpPath(database, 'custom'), modifiedAt: parts.modifiedAt, stream });
  return scanner;
}

/** What is known of a dump that has passed. */
type DumpCounts = Pick<ArchiveScanner, 'rows' | 'largeObjects' | 'end'>;

async function takeInventory(
  { config, programs, context }: DumpParts,
  { database, session, scanner }: { database: DatabaseRow; session: PsqlSession; scanner: DumpCounts },
): Promise<string> {
  const toc = scanner.end();
  const inDump = dumpObjects(toc, scanner);
  if (!isFiltered(config)) {
    const onServer = withRows(await readServerObjects(session), await countRows(session, COUNT_LIMITS));
    const rowless = findTablesWithoutRows(toc, await listTablesWithRows(session));
    for (const message of [...findGaps(onServer, inDump), ...rowless]) {
      context.problem({ path: dumpPath(database.name, config.format), code: 'unreadable', message });
    }
  }
  context.log('info', `Dumped database "${database.name}": ${countObjects(inDump)}.`);
  const { encoding, collate, ctype, owner } = database;
  const compared = isFiltered(config) ? 'no, filters left out a part' : 'yes';
  return inventoryText({
    database: database.name,
    serverVersion: session.facts.version,
    toolVersion: programs.version,
    objects: inDump,
    details: { encoding, collate, ctype, owner, comparedWithServer: compared },
  });
}
