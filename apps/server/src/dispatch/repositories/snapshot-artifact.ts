/** Records that are snapshots: which repositories hold a copy, and the artifact a job gets. */
import type { RepositoryAccess, StoredArtifact, TargetResult } from '@backupx/contracts/jobs';
import type { RecordRow } from '../../stores/records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import type { Db } from '../ports.ts';
import { isReachableFrom, snapshotIdOf, snapshotsFolder } from './repository-place.ts';

export interface SnapshotCopy {
  readonly row: RepositoryRow;
  /** Its snapshot file; a copy has an id of its own. */
  readonly storagePath: string;
  readonly snapshotId: string;
  isReachableFrom(nodeId: number): boolean;
}

/** In the order of the record's results: the original first. Repositories that are gone are left out. */
export async function snapshotCopies(db: Db, record: RecordRow): Promise<SnapshotCopy[]> {
  const results = JSON.parse(record.targets || '[]') as TargetResult[];
  const copies: SnapshotCopy[] = [];
  for (const result of results) {
    if (result.status !== 'success') continue;
    const storagePath = result.storagePath || record.storage_path;
    const rows = await repositoriesStore.ofTarget(db, result.targetId);
    // The record's own first: two repositories of one target never share a folder, but a removed one may have had it.
    const sorted = rows.toSorted(
      (a, b) => Number(b.id === record.repository_id) - Number(a.id === record.repository_id),
    );
    const row = sorted.find((candidate) => snapshotIdOf(candidate.prefix, storagePath) !== null);
    const snapshotId = row ? snapshotIdOf(row.prefix, storagePath) : null;
    if (!row || snapshotId === null) continue;
    copies.push({ row, storagePath, snapshotId, isReachableFrom: (nodeId) => isReachableFrom(row, nodeId) });
  }
  return copies;
}

/** What reads a snapshot: the repository opens it, its checksum is its name. */
export function snapshotArtifact(repository: RepositoryAccess, snapshotId: string): StoredArtifact {
  return {
    target: repository.target,
    storagePath: `${snapshotsFolder(repository.prefix)}/${snapshotId}`,
    contentsPath: null,
    fileName: `snapshot ${snapshotId.slice(0, 8)}`,
    checksum: snapshotId,
    fileSize: null,
    encryption: null,
    snapshot: { repository, snapshotId },
  };
}
