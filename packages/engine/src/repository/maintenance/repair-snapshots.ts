/**
 * Rewrites snapshots that are not whole, without what is lost: files keep the parts that are there, a folder whose list
 * is lost becomes empty. What is whole stays the same tree, byte for byte. The index must agree with the packs first.
 */
import { AppError } from '@backupx/contracts/errors';
import type { RepairRepositoryResult } from '@backupx/contracts/jobs';
import type { Snapshot } from '../format/snapshot-file.ts';
import { saveSnapshot } from '../snapshots.ts';
import { ChangeList } from './change-list.ts';
import { loadIndexFiles } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { PackTable } from './pack-table.ts';
import { readSnapshots } from './read-snapshots.ts';
import { createTreeRewriter } from './rewrite-tree.ts';
import { listStoredPacks } from './stored-packs.ts';
import { isWhole } from './survey.ts';

export interface RepairSnapshotsOptions {
  /** Removes the originals, and snapshots of which nothing is left. */
  readonly forget: boolean;
  readonly dryRun: boolean;
}

/** Needs the exclusive lock. Order: trees, their index, new snapshots, then originals go. */
export async function repairSnapshots(
  work: MaintenanceWork,
  options: RepairSnapshotsOptions,
): Promise<RepairRepositoryResult> {
  const { forget, dryRun } = options;
  const { snapshots, damaged } = await readSnapshots(work);
  const { index } = await loadIndexFiles(work);
  await assertIndexFits(work, new PackTable(index));
  const changes = new ChangeList();
  const obsolete: string[] = [];
  const takeAway = (id: string, reason: string) => {
    changes.add(`Snapshot ${id}: ${reason}${forget ? '; it is removed' : '; only "forget" can remove it'}.`);
    if (forget) obsolete.push(id);
  };
  for (const { name, reason } of damaged) takeAway(name, reason);
  const rewriter = createTreeRewriter(work, { index, dryRun, changes });
  const rewritten: { snapshot: Snapshot; tree: string }[] = [];
  for (const snapshot of snapshots) {
    const tree = await rewriter.rewrite(snapshot);
    if (tree === null) takeAway(snapshot.id, 'nothing of it can be read');
    else if (tree !== snapshot.tree) rewritten.push({ snapshot, tree });
  }
  if (dryRun) return { changes: changes.toArray(), newSnapshotIds: [] };
  await rewriter.finish();
  const newSnapshotIds: string[] = [];
  for (const { snapshot, tree } of rewritten) {
    if (!isRepaired(snapshots, { snapshot, tree }))
      newSnapshotIds.push(await saveRepaired(work, { snapshot, tree, forget }));
    if (forget) obsolete.push(snapshot.id);
  }
  for (const id of obsolete) await work.repository.removeFile('snapshots', id, work.signal);
  return { changes: changes.toArray(), newSnapshotIds };
}

async function assertIndexFits(work: MaintenanceWork, table: PackTable): Promise<void> {
  const stored = await listStoredPacks(work, table);
  for (let pack = 0; pack < table.count; pack += 1) {
    if (isWhole({ table, stored }, pack)) continue;
    const reason = `the index does not fit pack ${table.hexOf(pack)}; repair the index first`;
    throw new AppError('REPOSITORY_DAMAGED', { reason });
  }
}

interface Repaired {
  readonly snapshot: Snapshot;
  readonly tree: string;
}

/** True when an earlier repair, which did not forget or was cut off, stored the same. */
function isRepaired(snapshots: readonly Snapshot[], { snapshot, tree }: Repaired): boolean {
  return snapshots.some((other) => other.tree === tree && other.original === originOf(snapshot));
}

function originOf({ original, id }: Snapshot): string {
  return original ?? id;
}

async function saveRepaired(work: MaintenanceWork, repaired: Repaired & { readonly forget: boolean }): Promise<string> {
  const { snapshot, tree, forget } = repaired;
  const { id: _, ...fields } = snapshot;
  const tags = forget || snapshot.tags.includes(REPAIRED_TAG) ? snapshot.tags : [...snapshot.tags, REPAIRED_TAG];
  const saved = await saveSnapshot(
    work.repository,
    { ...fields, tree, tags, original: originOf(snapshot) },
    work.signal,
  );
  return saved.id;
}

const REPAIRED_TAG = 'repaired';
