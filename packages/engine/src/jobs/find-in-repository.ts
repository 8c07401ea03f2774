import type { FindInRepositoryJob, FindInRepositoryResult } from '@backupx/contracts/jobs';
import { findItems } from '../repository/browse/find-items.ts';
import { parseItemPattern } from '../repository/browse/item-pattern.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import type { Snapshot } from '../repository/format/snapshot-file.ts';
import { loadIndex } from '../repository/load-index.ts';
import type { Repository } from '../repository/open-repository.ts';
import { findSnapshot, listSnapshots } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { ProgressMeter } from './progress-meter.ts';
import { viewRepository } from './snapshot-view.ts';

/** Finds every version of items by name or glob. Damaged snapshots are logged and left out. */
export function findInRepository(job: FindInRepositoryJob, context: JobContext): Promise<FindInRepositoryResult> {
  const meter = new ProgressMeter(context.reporter);
  const work = withRepository(context, job.repository, { lock: 'shared' }, async (repository, signal) => {
    const snapshots = await chooseSnapshots(repository, job, { context, signal });
    const onDamaged = (name: string) => context.reporter.log('error', `The index file ${name} is damaged.`);
    const index = await loadIndex(repository, { signal, onDamaged });
    meter.enter('running');
    const found = await findItems(viewRepository(repository, index, { signal }).loader, {
      snapshots: snapshots.map(({ id, tree }) => ({ id, tree: fromHex(tree) })),
      pattern: parseItemPattern(job.pattern),
      limit: job.limit,
      onFolder(path, treesRead) {
        signal.throwIfAborted();
        meter.counters.itemsDone = treesRead;
        meter.counters.currentItem = path;
      },
    });
    meter.enter('done');
    return found;
  });
  return work.finally(() => meter.stop());
}

/** Oldest first, each once. */
async function chooseSnapshots(
  repository: Repository,
  { snapshotIds }: FindInRepositoryJob,
  { context, signal }: { readonly context: JobContext; readonly signal: AbortSignal },
): Promise<Snapshot[]> {
  if (snapshotIds === null) {
    return await listSnapshots(repository, signal, (_, error) => context.reporter.log('error', error.message));
  }
  const chosen = new Map<string, Snapshot>();
  for (const text of snapshotIds) {
    const snapshot = await findSnapshot(repository, text, signal);
    chosen.set(snapshot.id, snapshot);
  }
  return [...chosen.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}
