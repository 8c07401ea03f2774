/** Stock restic and we write into one repository in turns, and neither stores again what the other has stored. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { makeNoise, makeRareKinds, makeTree } from '../support/make-tree.ts';
import {
  backup,
  check,
  createRunner,
  folderOf,
  initJob,
  password,
  repositoryAt,
  restore,
} from '../support/repository.ts';
import { forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

/** Trees of the folders above the source, which change when a neighbour does. */
const ABOVE_BYTES = 3000;

interface Summary {
  readonly message_type: string;
  readonly files_new: number;
  readonly files_changed: number;
  readonly files_unmodified: number;
  readonly data_added: number;
  readonly snapshot_id: string;
}

function takeTurns(restic: Restic): void {
  const work = makeWorkFolder('mixed');
  const runner = createRunner(work.at('temp'));
  const shared = repositoryAt(work.at('shared'));
  const theirView = restic.open(folderOf(shared), password);
  const source = work.at('source');
  const theirs = async (): Promise<Summary> => {
    const lines = await theirView.json<Summary>(['backup', source], { env: { TZ: 'UTC' } });
    const summary = lines.find((line) => line.message_type === 'summary');
    if (!summary) throw new Error('restic printed no summary');
    return summary;
  };
  /** Id of the tree of `source` in a snapshot. Folders above it are those of the machine and change by themselves. */
  const treeOf = async (snapshotId: string): Promise<string> => {
    const [snapshot] = await theirView.json<{ tree: string }>(['snapshots', snapshotId]);
    let id = snapshot?.tree ?? '';
    for (const name of source.split('/').slice(1)) {
      const tree = JSON.parse(await theirView.ok(['cat', 'blob', id])) as {
        nodes: { name: string; subtree: string }[];
      };
      id = tree.nodes.find((node) => node.name === name)?.subtree ?? '';
    }
    return id;
  };

  beforeAll(async () => {
    makeTree(source, { files: 300 });
    makeRareKinds(path.join(source, 'rare'));
  });
  afterAll(async () => {
    await runner.close();
    work.remove();
  });

  it('we make it, restic writes first: we add nothing to an unchanged tree and name the same one', async () => {
    await runner.run(initJob(shared));
    const before = await theirs();
    const result = await backup(runner, shared, [source]);
    expect(result.status).toBe('success');
    expect(result.snapshot).toMatchObject({ filesNew: 0, filesChanged: 0 });
    expect(result.snapshot.bytesAdded).toBeLessThan(ABOVE_BYTES);
    expect(await treeOf(result.snapshot.snapshotId)).toBe(await treeOf(before.snapshot_id));
    expect(result.snapshot.parentId).toMatch(new RegExp(`^${before.snapshot_id}`));
  });

  it('restic continues after us: it finds every file unmodified', async () => {
    const summary = await theirs();
    expect(summary).toMatchObject({ files_new: 0, files_changed: 0 });
    expect(summary.data_added).toBeLessThan(ABOVE_BYTES);
  });

  it('without a parent, reading all, neither stores anything again', async () => {
    const full = await theirView.json<Summary>(['backup', '--force', source], { env: { TZ: 'UTC' } });
    expect(full.find((line) => line.message_type === 'summary')?.data_added).toBeLessThan(ABOVE_BYTES);
    const elsewhere = await backup(runner, shared, [source], { hostname: 'another-host' });
    expect(elsewhere.snapshot.parentId).toBeNull();
    expect(elsewhere.snapshot.bytesAdded).toBeLessThan(ABOVE_BYTES);
  });

  it('in turns over changes: content that one stored is found by the other', async () => {
    for (let turn = 0; turn < 4; turn++) {
      const isOurTurn = turn % 2 === 0;
      appendFileSync(path.join(source, 'd5', 'e5', 'file-5.txt'), `turn ${turn}\n`);
      writeFileSync(path.join(source, `noise-${turn}`), makeNoise(3_000_000, turn + 77));
      const added = isOurTurn
        ? (await backup(runner, shared, [source])).snapshot.bytesAdded
        : (await theirs()).data_added;
      expect(added).toBeGreaterThan(3_000_000);
      expect(added).toBeLessThan(3_600_000);
      // The other one meets the same bytes under another name.
      renameSync(path.join(source, `noise-${turn}`), path.join(source, `moved-${turn}`));
      const again = isOurTurn
        ? (await theirs()).data_added
        : (await backup(runner, shared, [source])).snapshot.bytesAdded;
      expect(again).toBeLessThan(600_000);
    }
    await theirView.mustBeClean();
    expect(await check(runner, shared)).toMatchObject({ status: 'clean', problems: [] });
  });

  it('both restore the last of either', async () => {
    const last = await backup(runner, shared, [source]);
    const summary = await theirs();
    await theirView.restore(last.snapshot.snapshotId, work.at('theirs'));
    expect(compareTrees(source, path.join(work.at('theirs'), source), { isCheckingSparse: restic.isModern })).toEqual(
      [],
    );
    await restore(runner, shared, summary.snapshot_id, work.at('ours'));
    expect(compareTrees(source, path.join(work.at('ours'), source))).toEqual([]);
  });
}

forEachRestic('mixed writers', takeTurns);
