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

function judge(restic: Restic): void {
  const work = makeWorkFolder('judges');
  const runner = createRunner(work.at('temp'));
  const ours = repositoryAt(work.at('ours'));
  const theirView = restic.open(folderOf(ours), password);
  const source = work.at('source');
  let first = '';
  let second = '';

  beforeAll(async () => {
    makeTree(source, { files: 400 });
    makeRareKinds(path.join(source, 'rare'));
    await runner.run(initJob(ours));
    first = (await backup(runner, ours, [source], { tags: ['one'] })).snapshot.snapshotId;
    writeFileSync(path.join(source, 'added.txt'), 'new here');
    appendFileSync(path.join(source, 'd1', 'e1', 'file-1.txt'), 'more');
    rmSync(path.join(source, 'd2', 'e2', 'file-2.txt'));
    second = (await backup(runner, ours, [source], { tags: ['two'] })).snapshot.snapshotId;
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
