/**
 * One dump into a scratch database: its contents are read first, what it needs is looked for, then pg_restore gets it.
 * Whatever is wrong with the dump shows here, where nothing is in the way of anybody.
 */
import { type InventoryObject, missingObjects } from '../../ports/database-inventory.ts';
import type { Toc } from './archive-toc.ts';
import type { DumpInput } from './dump-input.ts';
import { dumpObjects, withRows } from './dump-inventory.ts';
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

/** Throws DATABASE_*; then the scratch database may be there, for the caller to drop. */
export async function restoreDump(dump: DumpInput, place: ScratchPlace): Promise<RestoredDump> {
  const { server, admin, signal, scratch } = place;
  const { database } = dump;
  const toc = await dump.readToc();
  const programs = programsForRestore(server.installed, majorOf(toc.dumpVersion), admin.facts.major);
  const ids = await place.prepare(toc);
  const withoutTablespaces = await lacksTablespaces(admin, toc);
  const create = createStatement(toc, scratch, { major: admin.facts.major, withoutTablespaces });
  await place.create(`${create};`);
  const args = [
    ...['--exit-on-error', '--no-password', `--format=${dump.format}`, `--dbname=${server.conninfo(scratch)}`],
    ...optionArguments(place.options),
    ...(withoutTablespaces ? ['--no-tablespaces'] : []),
    ...(ids === null ? [] : [`--use-list=${server.secrets.write(`${scratch}.list`, listOf(toc, ids))}`]),
  ];
  const command = server.command(programs, 'pg_restore', args);
  const { parallelJobs } = place.options;
  await dump.restore({
    command,
    database,
    server,
    admin,
    signal,
    parallelJobs,
    onBytes: (bytes) => place.onBytes(bytes),
  });
  const restored = { ...toc, entries: toc.entries.filter(({ dumpId }) => ids === null || ids.has(dumpId)) };
  const [saved, objects] = [dumpObjects(toc, dump.counts), dumpObjects(restored, dump.counts)];
  return { database, scratch, toc, saved, objects };
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
