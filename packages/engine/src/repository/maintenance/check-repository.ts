/**
 * Finds out what is damaged in a repository, what is lost because of it, and what still restores. Order: snapshots,
 * index, packs, so that work going on beside it is no finding; then blobs; last the walk from the snapshots to them.
 */
import type { CheckRepositoryResult } from '@backupx/contracts/jobs';
import { createBlobReader } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { checkKeys } from './check-keys.ts';
import { checkPackSizes, createPackFilter, type ReadScope } from './check-packs.ts';
import { checkTrees } from './check-trees.ts';
import { loadIndexFiles } from './index-files.ts';
import { listFiles } from './list-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { PackHealth } from './pack-health.ts';
import { PackTable } from './pack-table.ts';
import { ProblemLog } from './problem-log.ts';
import { verifyPacks } from './read-packs.ts';
import { readRoots } from './read-snapshots.ts';
import { listStoredPacks } from './stored-packs.ts';

/** A walk in the order in which folders were stored comes back to few of the windows that it left. */
const CACHE_BYTES = 16 * 1024 * 1024;

/**
 * Checks a repository that could be opened. Needs a shared lock. Throws what the storage throws when it is out of reach,
 * and REPOSITORY_LOCK_LOST instead of what was found without a lock.
 */
export async function checkRepository(outer: MaintenanceWork, read: ReadScope): Promise<CheckRepositoryResult> {
  let bytesRead = 0;
  const work: MaintenanceWork = {
    ...outer,
    onRead(bytes) {
      bytesRead += bytes;
      outer.onRead?.(bytes);
    },
  };
  const isInScope = createPackFilter(read);
  const log = new ProblemLog();
  await checkKeys(work, log);
  const { snapshots, damaged } = await readRoots(work);
  for (const { name, reason } of damaged) {
    const message = `The snapshot cannot be read: ${reason}.`;
    log.affects(log.add('error', 'snapshot_damaged', { object: `snapshots/${name}`, message }), { snapshotId: name });
  }
  const loaded = await loadIndexFiles(work, { tolerateDamage: true });
  for (const { name, reason } of loaded.damaged) {
    log.add('error', 'index_damaged', { object: `index/${name}`, message: `The index cannot be read: ${reason}.` });
  }
  const { index } = loaded;
  const table = new PackTable(index);
  const onForeign = (path: string) => hintAtForeign(log, path);
  const stored = await listStoredPacks(work, table, onForeign);
  for (const folder of ['index', 'snapshots'] as const) {
    for await (const { name, path } of listFiles(work, folder)) if (name === null) onForeign(path);
  }
  const health = new PackHealth({ table, stored, log });
  const suspects = new Set(checkPackSizes(health));
  await verifyPacks(
    work,
    health,
    packsToRead(table, (pack) => suspects.has(pack) || isInScope(table.idOf(pack))),
  );
  const intactSnapshotIds = await checkTrees(snapshots, {
    index,
    reader: createBlobReader({ repository: work.repository, index, signal: work.signal, cacheBytes: CACHE_BYTES }),
    signal: work.signal,
    log,
    problemsOf: (entry) => health.problemsOf(entry),
    onUnreadable: (entry, reason) =>
      health.blame(table.packOf(entry), 'pack_damaged', `A folder in it cannot be read: ${reason}.`),
    // Where packs are read, they are what progress is measured by.
    ...(read === 'structure' ? { onTree: (id: Uint8Array) => work.onItem?.(toHex(id)) } : {}),
  });
  // After a sleep of the machine others may have removed what is missing: that is no damage.
  if (log.hasErrors) await work.repository.assertLocked?.(work.signal);
  return {
    status: log.hasErrors ? 'damaged' : 'clean',
    problems: log.problems,
    problemCount: log.count,
    snapshotCount: snapshots.length + damaged.length,
    intactSnapshotIds,
    packCount: table.count,
    blobCount: index.count - table.redundant.size,
    bytesRead,
  };
}

function* packsToRead(table: PackTable, isRead: (pack: number) => boolean): Generator<number> {
  for (let pack = 0; pack < table.count; pack += 1) if (isRead(pack)) yield pack;
}

function hintAtForeign(log: ProblemLog, path: string): void {
  log.add('hint', 'file_foreign', { object: path, message: 'The file does not belong into a repository.' });
}
