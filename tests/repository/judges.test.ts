/** Stock restic reads, checks, restores, copies and prunes what we wrote. */
import { appendFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { makeRareKinds, makeTree } from '../support/make-tree.ts';
import {
  backup,
  check,
  createRunner,
  folderOf,
  initJob,
  password,
  repositoryAt,
  restore,
  snapshotIds,
} from '../support/repository.ts';
import { forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

/** Names as restic prints them, of everything below a folder. */
function namesBelow(folder: string): string[] {
  return [folder, ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name))];
}

/** Sizes of the files below a folder by each name but the first. */
function furtherNames(folder: string): number[] {
  const seen = new Set<number>();
  return namesBelow(folder).flatMap((name) => {
    // A name that is no text cannot be asked for by it; it is the only one of its file.
    const stats = lstatSync(name, { throwIfNoEntry: false });
    if (!stats?.isFile()) return [];
    const isFurther = seen.has(stats.ino);
    seen.add(stats.ino);
    return isFurther ? [stats.size] : [];
  });
}

/** As restic writes it into snapshots and prints it after a backup. */
interface Summary {
  readonly backup_start: string;
  readonly backup_end: string;
  readonly files_new: number;
  readonly dirs_new: number;
  readonly dirs_changed: number;
  readonly dirs_unmodified: number;
  readonly data_blobs: number;
  readonly tree_blobs: number;
  readonly total_files_processed: number;
  readonly total_bytes_processed: number;
}

function judge(restic: Restic): void {
  const work = makeWorkFolder('judges');
  const runner = createRunner(work.at('temp'));
  const ours = repositoryAt(work.at('ours'));
  const theirView = restic.open(folderOf(ours), password);
  const source = work.at('source');
  let first = '';
  let second = '';
  let results: Awaited<ReturnType<typeof backup>>[] = [];

  beforeAll(async () => {
    makeTree(source, { files: 400 });
    makeRareKinds(path.join(source, 'rare'));
    await runner.run(initJob(ours));
    const before = await backup(runner, ours, [source], { tags: ['one'] });
    writeFileSync(path.join(source, 'added.txt'), 'new here');
    appendFileSync(path.join(source, 'd1', 'e1', 'file-1.txt'), 'more');
    rmSync(path.join(source, 'd2', 'e2', 'file-2.txt'));
    results = [before, await backup(runner, ours, [source], { tags: ['two'] })];
    [first = '', second = ''] = results.map(({ snapshot }) => snapshot.snapshotId);
  }, 120_000);
  afterAll(async () => {
    await runner.close();
    work.remove();
  });

  it('finds it clean, every byte read', async () => {
    await theirView.mustBeClean();
    expect(readdirSync(path.join(folderOf(ours), 'locks'), { recursive: true })).toEqual([]);
  });

  it('sees our snapshots with host, tags, paths and parent', async () => {
    const snapshots = await theirView.json<{ id: string; tags: string[]; paths: string[]; parent?: string }>([
      'snapshots',
    ]);
    expect(snapshots.map(({ id, tags, paths }) => ({ id, tags, paths }))).toEqual([
      { id: first, tags: ['one'], paths: [source] },
      { id: second, tags: ['two'], paths: [source] },
    ]);
    expect(snapshots[1]?.parent).toBe(first);
  });

  it.skipIf(!restic.isModern)('reads the figures of the run in them, and would count the same', async () => {
    const snapshots = await theirView.json<{ summary: Summary }>(['snapshots']);
    for (const [at, { snapshot, sourceBytes }] of results.entries()) {
      const { summary } = snapshots[at] ?? {};
      const { filesNew, filesChanged, filesUnmodified, bytesAdded, bytesStored, blobsAdded } = snapshot;
      expect(summary).toMatchObject({
        files_new: filesNew,
        files_changed: filesChanged,
        files_unmodified: filesUnmodified,
        data_added: bytesAdded,
        data_added_packed: bytesStored,
        total_files_processed: filesNew + filesChanged + filesUnmodified,
        total_bytes_processed: sourceBytes,
      });
      expect((summary?.data_blobs ?? 0) + (summary?.tree_blobs ?? 0)).toBe(blobsAdded);
      const times = [summary?.backup_start, summary?.backup_end].map((time) => Date.parse(time ?? ''));
      expect(times[0]).toBeLessThanOrEqual(times[1] ?? Number.NaN);
    }
    expect(results[1]?.snapshot).toMatchObject({ filesNew: 1, filesChanged: 1 });
    // Its own count of the same source, in which all is new without a parent. It counts every name of a file, we the first.
    const theirs = (await theirView.json<Summary>(['backup', '--dry-run', '--force', source])).at(-1);
    const ours = snapshots.at(-1)?.summary;
    const more = furtherNames(source);
    expect(more.length).toBeGreaterThan(1);
    expect({
      files: (ours?.total_files_processed ?? 0) + more.length,
      dirs: (ours?.dirs_new ?? 0) + (ours?.dirs_changed ?? 0) + (ours?.dirs_unmodified ?? 0),
      bytes: more.reduce((sum, size) => sum + size, ours?.total_bytes_processed ?? 0),
    }).toEqual({ files: theirs?.files_new, dirs: theirs?.dirs_new, bytes: theirs?.total_bytes_processed });
  });

  it('restores it: the trees are identical', async () => {
    await theirView.restore(second, work.at('restored'));
    expect(compareTrees(source, path.join(work.at('restored'), source), { isCheckingSparse: restic.isModern })).toEqual(
      [],
    );
    rmSync(work.at('restored'), { recursive: true });
  });

  it('lists it', async () => {
    const nodes = await theirView.json<{ path?: string; size?: number }>(['ls', second]);
    const paths = nodes.flatMap((node) => (node.path?.startsWith(source) ? [node.path] : []));
    const isPlain = (name: string): boolean => !name.includes('latin1-');
    expect(paths.filter(isPlain).sort()).toEqual(namesBelow(source).filter(isPlain).sort());
  });

  it('dumps one file and a folder', async () => {
    const file = path.join(source, 'd3', 'e3', 'file-3.txt');
    expect(await theirView.ok(['dump', second, file])).toBe(readFileSync(file, 'utf8'));
    expect(await theirView.ok(['dump', second, path.join(source, 'd3')])).toContain('file-3.txt');
  });

  it('tells the difference of two snapshots', async () => {
    const lines = await theirView.json<{ path?: string; modifier?: string }>(['diff', first, second]);
    const changes = lines.flatMap(({ path: name, modifier }) => (name && modifier ? [`${modifier} ${name}`] : []));
    expect(changes.filter((line) => !line.endsWith('/')).sort()).toEqual(
      [`+ ${source}/added.txt`, `- ${source}/d2/e2/file-2.txt`, `M ${source}/d1/e1/file-1.txt`].sort(),
    );
  });

  it('finds a file by name', async () => {
    expect(await theirView.ok(['find', 'added.txt'])).toContain(`${source}/added.txt`);
  });

  it('copies it into a repository of its own', async () => {
    const copy = restic.open(work.at('copy'), 'another password');
    const env = { RESTIC_FROM_REPOSITORY: folderOf(ours), RESTIC_FROM_PASSWORD: password };
    writeFileSync(work.at('from-password'), password);
    const from = ['--from-repo', folderOf(ours), '--from-password-file', work.at('from-password')];
    await copy.ok(['init', ...from, '--copy-chunker-params'], { env });
    await copy.ok(['copy', ...from], { env });
    await copy.mustBeClean();
    expect((await copy.json(['snapshots'])).length).toBe(2);
    await copy.restore('latest', work.at('restored'));
    expect(compareTrees(source, path.join(work.at('restored'), source), { isCheckingSparse: restic.isModern })).toEqual(
      [],
    );
    rmSync(work.at('restored'), { recursive: true });
  });

  it('adds a key that opens it for us, and we one that opens it for restic', async () => {
    writeFileSync(work.at('new-password'), 'a second password');
    await theirView.ok(['key', 'add', '--new-password-file', work.at('new-password')]);
    const withSecond = { ...ours, unlock: { password: 'a second password' } };
    expect(await snapshotIds(runner, withSecond)).toEqual([first, second]);
    await runner.run({
      kind: 'repository_keys',
      repository: ours,
      action: 'add',
      password: 'a third password',
      keyId: null,
      hostname: 'judge',
    });
    expect((await restic.open(folderOf(ours), 'a third password').json(['snapshots'])).length).toBe(2);
  });

  it('builds the index anew', async () => {
    await theirView.ok(
      restic.isModern ? ['repair', 'index', '--read-all-packs'] : ['rebuild-index', '--read-all-packs'],
    );
    await theirView.mustBeClean();
    expect((await check(runner, ours)).problems).toEqual([]);
  });

  it('forgets and prunes it; both find the rest clean and restore it', async () => {
    await theirView.ok(['forget', first, '--prune', '--max-unused', '0']);
    await theirView.mustBeClean();
    const result = await check(runner, ours);
    expect(result).toMatchObject({ status: 'clean', problems: [], snapshotCount: 1, intactSnapshotIds: [second] });
    mkdirSync(work.at('ours-restored'));
    await restore(runner, ours, second, work.at('ours-restored'));
    expect(lstatSync(work.at('ours-restored')).isDirectory()).toBe(true);
    expect(compareTrees(source, path.join(work.at('ours-restored'), source))).toEqual([]);
  });
}

forEachRestic('stock restic judges a repository of ours', judge);
