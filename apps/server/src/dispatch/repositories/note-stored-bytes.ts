import type { RunBackupResult } from '@backupx/contracts/jobs';
import type { RecordRow } from '../../stores/records.store.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import type { Db } from '../ports.ts';

/** Adds what a run stored to the estimates of its repositories; archives have none. */
export async function noteStoredBytes(trx: Db, record: RecordRow, result: RunBackupResult): Promise<void> {
  if (record.repository_id === 0) return;
  const leases = await repositoryLeasesStore.ofHolder(trx, { owner: 'record', ownerId: record.id });
  const rows = await repositoriesStore.findMany(trx, [...new Set(leases.map((lease) => lease.repository_id))]);
  for (const target of result.targets) {
    const row = rows.find((candidate) => candidate.storage_target_id === target.targetId);
    if (target.status !== 'success' || !row) continue;
    const bytes = row.id === record.repository_id ? (target.fileSize ?? result.fileSize) : (target.fileSize ?? 0);
    await repositoriesStore.addStoredBytes(trx, row.id, bytes);
  }
}
