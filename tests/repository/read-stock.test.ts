/** We check, list, browse, restore and prune what stock restic wrote, whatever options it was given. */
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { makeRareKinds, makeTree } from '../support/make-tree.ts';
import {
  check,
  createRunner,
  folderOf,
  forgetJob,
  initJob,
  password,
  pruneJob,
  repositoryAt,
  restore,
  snapshotIds,
} from '../support/repository.ts';
import { forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const kinds: readonly { name: string; version: string; options: string[] }[] = [
  { name: 'version 1', version: '1', options: [] },
  { name: 'version 2', version: '2', options: ['--compression', 'auto'] },
  { name: 'version 2, uncompressed, small packs', version: '2', options: ['--compression', 'off', '--pack-size', '4'] },
  {
    name: 'version 2, most compressed, large packs',
    version: '2',
    options: ['--compression', 'max', '--pack-size', '64'],
  },
];

function readKind(restic: Restic, kind: (typeof kinds)[number]): void {
  const work = makeWorkFolder('read-stock');
  const runner = createRunner(work.at('temp'));
  const repository = repositoryAt(work.at('theirs'));
  const theirView = restic.open(folderOf(repository), password);
  const source = work.at('source');
  let ids: string[] = [];

  beforeAll(async () => {
    makeTree(source, { files: 200 });
    makeRareKinds(path.join(source, 'rare'));
    await theirView.ok(['init', '--repository-version', kind.version]);
    await theirView.ok(['backup', ...kind.options, '--tag', 'old', source]);
    appendFileSync(path.join(source, 'd1', 'e1', 'file-1.txt'), 'more');
    await theirView.ok(['backup', ...kind.options, '--tag', 'new', source]);
    ids = (await theirView.json<{ id: string }>(['snapshots'])).map(({ id }) => id);
  });
  afterAll(async () => {
    await runner.close();
    work.remove();
  });

  it('adopts it', async () => {
    const result = await runner.run({ ...initJob(repository), adopt: true });
    expect(result).toMatchObject({ version: Number(kind.version), snapshotCount: 2 });
    const withMasterKey = { ...repository, unlock: { masterKey: result.masterKey } };
    expect(await snapshotIds(runner, withMasterKey)).toEqual(ids);
  });

  it('finds it clean, every byte read', async () => {
    const result = await check(runner, repository);
    expect(result).toMatchObject({ status: 'clean', problems: [], snapshotCount: 2 });
    expect(result.intactSnapshotIds.toSorted()).toEqual(ids.toSorted());
    expect(result.bytesRead).toBeGreaterThan(1_000_000);
  });

  it('restores it: the trees are identical', async () => {
    mkdirSync(work.at('restored'));
    const result = await restore(runner, repository, ids[1] ?? '', work.at('restored'));
    expect(result).toMatchObject({ status: 'success', problems: [] });
    expect(compareTrees(source, path.join(work.at('restored'), source))).toEqual([]);
    rmSync(work.at('restored'), { recursive: true });
  });

  it('restores one folder of it', async () => {
    mkdirSync(work.at('part'));
    await restore(runner, repository, ids[1] ?? '', work.at('part'), { paths: [path.join(source, 'kinds')] });
    const restored = path.join(work.at('part'), source, 'kinds');
    expect(compareTrees(path.join(source, 'kinds'), restored)).toEqual([]);
    rmSync(work.at('part'), { recursive: true });
  });

  it('sees what changed', async () => {
    const [from = '', to = ''] = ids;
    const result = await runner.run({ kind: 'diff_snapshots', repository, from, to, limit: 100 });
    expect(result.changes.filter(({ change }) => change !== 'metadata')).toEqual([
      expect.objectContaining({ path: path.join(source, 'd1', 'e1', 'file-1.txt'), change: 'content' }),
    ]);
    expect(readFileSync(path.join(source, 'd1', 'e1', 'file-1.txt'), 'utf8')).toContain('more');
  });

  it('forgets and prunes it; restic finds it clean', async () => {
    await runner.run(forgetJob(repository, ids.slice(0, 1)));
    await runner.run(pruneJob(repository));
    await theirView.mustBeClean();
    expect((await theirView.json<{ id: string }>(['snapshots'])).map(({ id }) => id)).toEqual(ids.slice(1));
    await theirView.restore('latest', work.at('restored'));
    expect(compareTrees(source, path.join(work.at('restored'), source), { isCheckingSparse: restic.isModern })).toEqual(
      [],
    );
  });
}

forEachRestic('we read what stock restic wrote', (restic) => {
  describe.each(kinds)('$name', (kind) => readKind(restic, kind));
});
