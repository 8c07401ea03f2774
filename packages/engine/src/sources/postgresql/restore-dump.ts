/**
 * One dump into a scratch database: its contents are read first, what it needs is looked for, then pg_restore gets it
 * while it is scanned. Whatever is wrong with the dump shows here, where nothing is in the way of anybody.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { type InventoryObject, missingObjects } from '../../ports/database-inventory.ts';
import { isSuccess, startTool, type ToolCommand } from '../../ports/processes.ts';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import type { Toc } from './archive-toc.ts';
import { dumpObjects, withRows } from './dump-inventory.ts';
import { failureOf } from './failures.ts';
import { programsForRestore } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import { createStatement, lacksTablespaces, majorOf } from './restore-plan.ts';
import type { Server } from './server.ts';
import { type CountLimits, countRows, readServerObjects } from './server-objects.ts';
import type { RestoreOptions } from './settings.ts';

/** Where it goes. `admin`: an open session on the server. */
export interface ScratchPlace {
  readonly server: Server;
  readonly admin: PsqlSession;
  /** Name of the database to make. */
  readonly scratch: string;
  readonly options: Pick<RestoreOptions, 'owners' | 'privileges' | 'parallelJobs' | 'singleTransaction'>;
  readonly signal: AbortSignal;
  /** Makes the database by this statement. */
  create(statement: string): Promise<void>;
  /** Called with the contents before anything is made; answers the ids wanted, null for all. May throw. */
  prepare(toc: Toc): Promise<ReadonlySet<number> | null>;
  onBytes(bytes: number): void;
}

/** A dump that is whole and restored. */
export interface RestoredDump {
  readonly database: string;
  readonly scratch: string;
  readonly toc: Toc;
  /** What the dump has; with the rows that were in it. */
  readonly saved: readonly InventoryObject[];
  /** What of that was wanted. */
  readonly objects: readonly InventoryObject[];
}

/** A dump that cannot be restored. */
export function damaged(database: string, reason: string): AppError {
  return new AppError('DATABASE_DUMP_DAMAGED', { name: `database "${database}"`, reason });
}

/** Throws DATABASE_*; then the scratch database may be there, for the caller to drop. */
export async function restoreDump(
  content: AsyncIterable<Uint8Array>,
  database: string,
  place: ScratchPlace,
): Promise<RestoredDump> {
  const { server, admin, signal } = place;
  const scanner = new ArchiveScanner();
  const bytes = scanned(content, scanner, (reason) => damaged(database, reason))[Symbol.asyncIterator]();
  const { toc, head } = await readHead(bytes, scanner);
  const programs = programsForRestore(server.installed, majorOf(toc.dumpVersion), admin.facts.major);
  const ids = await place.prepare(toc);
  const withoutTablespaces = await lacksTablespaces(admin, toc);
  const create = createStatement(toc, place.scratch, { major: admin.facts.major, withoutTablespaces });
  await place.create(`${create};`);
  const args = [
    ...['--exit-on-error', '--no-password', `--dbname=${server.conninfo(place.scratch)}`],
    ...optionArguments(place.options),
    ...(withoutTablespaces ? ['--no-tablespaces'] : []),
    ...(ids === null ? [] : [`--use-list=${server.secrets.write(`${place.scratch}.list`, listOf(toc, ids))}`]),
  ];
  const rest = joined(head, bytes);
  const run = { command: server.command(programs, 'pg_restore', args), database, place, signal };
  if (place.options.parallelJobs > 1) await restoreFromFile(rest, run);
  else await restoreFromStream(rest, run);
  const restored = { ...toc, entries: toc.entries.filter(({ dumpId }) => ids === null || ids.has(dumpId)) };
  const [saved, objects] = [dumpObjects(toc, scanner), dumpObjects(restored, scanner)];
  return { database, scratch: place.scratch, toc, saved, objects };
}

async function readHead(
  bytes: AsyncIterator<Uint8Array>,
  scanner: ArchiveScanner,
): Promise<{ toc: Toc; head: Uint8Array[] }> {
  const head: Uint8Array[] = [];
  for (;;) {
    const { value, done } = await bytes.next();
    // Who ends without contents has thrown already.
    if (done) throw damaged('', 'it is empty');
    head.push(Uint8Array.from(value));
    if (scanner.toc) return { toc: scanner.toc, head };
  }
}

async function* joined(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}

function optionArguments({ owners, privileges, parallelJobs, singleTransaction }: ScratchPlace['options']): string[] {
  return [
    ...(owners === 'ignore' ? ['--no-owner'] : []),
    ...(privileges === 'ignore' ? ['--no-acl'] : []),
    ...(parallelJobs > 1 ? [`--jobs=${parallelJobs}`] : []),
    ...(singleTransaction && parallelJobs === 1 ? ['--single-transaction'] : []),
  ];
}

function listOf(toc: Toc, ids: ReadonlySet<number>): string {
  const lines = toc.entries.filter(({ dumpId }) => ids.has(dumpId)).map(({ dumpId }) => `${dumpId};\n`);
  return lines.join('');
}

interface Run {
  readonly command: ToolCommand;
  readonly database: string;
  readonly place: ScratchPlace;
  readonly signal: AbortSignal;
}

async function restoreFromStream(bytes: AsyncIterable<Uint8Array>, run: Run): Promise<void> {
  const { place, signal } = run;
  const tool = startTool(run.command, signal);
  const drained = drain(tool.output);
  try {
    let wantsMore = true;
    for await (const chunk of bytes) {
      place.onBytes(chunk.byteLength);
      // It stops reading behind the last entry it wants; the rest is read to know that the dump is whole.
      if (wantsMore) wantsMore = await tool.write(chunk);
      if (!wantsMore) await assertWell(tool.ended, run);
    }
    tool.endInput();
    await assertWell(tool.ended, run);
  } finally {
    tool.kill();
    await tool.ended;
    await drained;
  }
}

/** Several connections need to jump about in the dump. */
async function restoreFromFile(bytes: AsyncIterable<Uint8Array>, run: Run): Promise<void> {
  const { place, signal, command } = run;
  const path = place.server.secrets.write(`${place.scratch}.pgc`, '');
  const file = openSync(path, 'a');
  try {
    for await (const chunk of bytes) {
      place.onBytes(chunk.byteLength);
      for (let at = 0; at < chunk.byteLength; ) at += writeSync(file, chunk, at);
    }
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('RESTORE_TARGET_INVALID', { path, reason: String(error) });
  } finally {
    closeSync(file);
  }
  const tool = startTool({ ...command, args: [...command.args, path] }, signal);
  tool.endInput();
  await drain(tool.output);
  await assertWell(tool.ended, run);
}

async function drain(output: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of output);
  } catch {
    // How it ended says more.
  }
}

async function assertWell(
  ended: ReturnType<typeof startTool>['ended'],
  { place, signal, database }: Run,
): Promise<void> {
  const end = await ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (isSuccess(end)) return;
  throw failureOf(end, place.server.place('pg_restore', database));
}

/** What of the dump is not in the restored database, sentence by sentence. */
export async function findDifferences(
  { server, signal }: Pick<ScratchPlace, 'server' | 'signal'>,
  restored: Pick<RestoredDump, 'scratch' | 'objects'>,
  limits: CountLimits,
): Promise<string[]> {
  const session = await PsqlSession.open(server, restored.scratch, signal);
  try {
    const found = withRows(await readServerObjects(session), await countRows(session, limits));
    return missingObjects(restored.objects, found);
  } finally {
    await session.close();
  }
}
