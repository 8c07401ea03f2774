import type { DiffSnapshotsJob, DiffSnapshotsResult } from '@backupx/contracts/jobs';
import { diffTrees, type TreeChange } from '../repository/browse/diff-trees.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import { loadIndex } from '../repository/load-index.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { ProgressMeter } from './progress-meter.ts';
import { viewRepository } from './snapshot-view.ts';

/** Compares two snapshots; all changes are counted, the first `limit` are listed. Damaged folders are passed over and told. */
export function diffSnapshots(job: DiffSnapshotsJob, context: JobContext): Promise<DiffSnapshotsResult> {
  const meter = new ProgressMeter(context.reporter);
  const work = withRepository(context, job.repository, { lock: 'shared' }, async (repository, signal) => {
    const before = await findSnapshot(repository, job.from, signal);
    const after = await findSnapshot(repository, job.to, signal);
    const onDamaged = (name: string) => context.reporter.log('error', `The index file ${name} is damaged.`);
    const index = await loadIndex(repository, { signal, onDamaged });
    meter.enter('running');
    const result = new ChangeList(job.limit);
    const pair = { path: '', before: fromHex(before.tree), after: fromHex(after.tree) };
    const idOf = { before: before.id, after: after.id };
    await diffTrees(viewRepository(repository, index, { signal }).loader, pair, {
      onChange(change) {
        result.add(change);
        meter.counters.itemsDone += 1;
        meter.counters.currentItem = change.path;
      },
      onUnread: ({ path, sides, message }) =>
        result.addUnread({ path, snapshotIds: [...new Set(sides.map((side) => idOf[side]))], message }),
      onFolder: () => signal.throwIfAborted(),
    });
    meter.enter('done');
    return result.counted();
  });
  return work.finally(() => meter.stop());
}

const MAX_UNREAD = 100;

class ChangeList {
  readonly #limit: number;
  readonly #changes: TreeChange[] = [];
  readonly #unread: DiffSnapshotsResult['unread'] = [];
  readonly #counts = { added: 0, removed: 0, changed: 0 };

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(change: TreeChange): void {
    if (change.change === 'added') this.#counts.added += 1;
    else if (change.change === 'removed') this.#counts.removed += 1;
    else this.#counts.changed += 1;
    if (this.#changes.length < this.#limit) this.#changes.push(change);
  }

  addUnread(folder: DiffSnapshotsResult['unread'][number]): void {
    if (this.#unread.length < MAX_UNREAD) this.#unread.push(folder);
  }

  counted(): DiffSnapshotsResult {
    const { added, removed, changed } = this.#counts;
    const truncated = added + removed + changed > this.#changes.length;
    return { changes: this.#changes, added, removed, changed, truncated, unread: this.#unread };
  }
}
