/** A lease for somebody who only looks: packs stay where they are while a question is answered or a download runs. */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import type { Db } from '../ports.ts';

/** Calls `work` with the id of a lease that ends with it. Throws REPOSITORY_NOT_FOUND, also for one not made yet. */
export async function withQuestionLease<T>(
  deps: { db: Db; clock: Clock },
  question: { repositoryId: number; nodeId: number },
  work: (leaseId: number, row: RepositoryRow) => Promise<T>,
): Promise<T> {
  const row = await repositoriesStore.get(deps.db, question.repositoryId);
  if (row.state === 'new') throw new AppError('REPOSITORY_NOT_FOUND', { where: row.name });
  const now = () => deps.clock.now().toISOString();
  const leaseId = await repositoryLeasesStore.begin(deps.db, {
    ...question,
    owner: 'question',
    ownerId: 0,
    now: now(),
  });
  try {
    return await work(leaseId, row);
  } finally {
    await repositoryLeasesStore.endOne(deps.db, leaseId, now());
  }
}
