/** A backup into a repository that leaves out what it is told to, and says what it could not take along. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { useQuickKey } from '../support/quick-key.ts';
import {
  type BackupOptions,
  backup,
  createRunner,
  folderOf,
  initJob,
  password,
  repositoryAt,
  restore,
} from '../support/repository.ts';
import { restic } from '../support/restic.ts';
import { startProgram } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('partial-backup');
const runner = createRunner(work.at('temp'));
let repository = repositoryAt(work.at('repository'));
const theirView = restic.open(folderOf(repository), password);
const source = work.at('source');
/** By path below the source. */
const FILES = ['a.log', 'a.txt', 'b/deep/inner.log', 'b/deep/inner.txt', 'c.log', 'c.txt', 'cache/x', 'only/y.log'];

beforeAll(async () => {
  for (const name of FILES) {
    mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
    writeFileSync(path.join(source, name), `content of ${name}`);
  }
  const { masterKey } = await runner.run(initJob(repository));
  repository = { ...repository, unlock: { masterKey } };
  await useQuickKey(folderOf(repository), masterKey);
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

const backupSource = (options: BackupOptions) => backup(runner, repository, [source], options);

/** What restic lists below the source. */
async function namesIn(snapshotId: string): Promise<string[]> {
  const nodes = await theirView.json<{ path?: string }>(['ls', snapshotId]);
  const names = nodes.flatMap(({ path: name = '' }) => (name.startsWith(`${source}/`) ? [name] : []));
  return names.map((name) => path.relative(source, name)).sort();
}

describe('what patterns leave out', () => {
  const exclude = ['*.log', '!c.log', 'cache/'];
  const left = ['a.txt', 'b', 'b/deep', 'b/deep/inner.txt', 'c.log', 'c.txt', 'only'];

  it('is not in the snapshot, which names the patterns', async () => {
    const { status, snapshot } = await backupSource({ hostname: 'fresh', exclude });
    expect(status).toBe('success');
    expect(snapshot).toMatchObject({ parentId: null, filesNew: 4, filesUnmodified: 0 });
    expect(await namesIn(snapshot.snapshotId)).toEqual(left);
    const [theirs] = await theirView.json<{ excludes: string[] }>(['snapshots', snapshot.snapshotId]);
    expect(theirs?.excludes).toEqual(exclude);
  });

  it('leaves an unchanged folder with the first run that has them, and comes back with the first that has not', async () => {
    const all = await backupSource({ hostname: 'unchanged' });
    expect(all.snapshot.filesNew).toBe(FILES.length);
    const some = await backupSource({ hostname: 'unchanged', exclude });
    // Compared with the parent, whose folders are the same: no file was opened.
    expect(some.snapshot).toMatchObject({ parentId: all.snapshot.snapshotId, filesNew: 0, filesUnmodified: 4 });
    expect(await namesIn(some.snapshot.snapshotId)).toEqual(left);
    const again = await backupSource({ hostname: 'unchanged' });
    expect(again.snapshot).toMatchObject({ parentId: some.snapshot.snapshotId, filesNew: 4, filesUnmodified: 4 });
    await restore(runner, repository, again.snapshot.snapshotId, work.at('out'));
    expect(compareTrees(source, path.join(work.at('out'), source))).toEqual([]);
    rmSync(work.at('out'), { recursive: true });
  });
});

describe('what cannot be had', () => {
  const missing = work.at('missing');
  /** A plain file by what is known of it, which answers every read with an error. */
  const unreadable = `/proc/${process.pid}/mem`;

  it('makes a warning that names it; all else is in the snapshot', async () => {
    const result = await backup(runner, repository, [missing, source, unreadable], { hostname: 'warned' });
    expect(result.status).toBe('warning');
    expect(result.problems.map(({ path: name, code }) => `${code} ${name}`).sort()).toEqual([
      `unreadable ${unreadable}`,
      `vanished ${missing}`,
    ]);
    expect(result.problemCount).toBe(2);
    for (const { message } of result.problems) expect(message).toMatch(/\w+ \w+/);
    expect(await namesIn(result.snapshot.snapshotId)).toEqual(expect.arrayContaining(FILES));
    const nodes = await theirView.json<{ path?: string }>(['ls', result.snapshot.snapshotId]);
    for (const name of [missing, unreadable]) expect(nodes.map((node) => node.path)).not.toContain(name);
    await restore(runner, repository, result.snapshot.snapshotId, work.at('out'), { paths: [source] });
    expect(compareTrees(source, path.join(work.at('out'), source))).toEqual([]);
  });

  it('ends `repo backup` with 3, and it says what', async () => {
    const env = { BACKUPX_REPO: folderOf(repository), BACKUPX_REPO_PASSWORD_FILE: work.at('password') };
    writeFileSync(work.at('password'), password);
    const program = startProgram(['repo', 'backup', source, missing], { env });
    expect(await program.ended, program.output()).toBe(3);
    expect(program.output()).toContain(`${missing}: `);
    expect(program.output()).toContain('1 problem');
    const whole = startProgram(['repo', 'backup', source], { env });
    expect(await whole.ended, whole.output()).toBe(0);
  });
});
