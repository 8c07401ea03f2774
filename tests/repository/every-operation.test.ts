/** A tree of real files through every operation of ours: after each one stock restic reads all and finds nothing wrong. */
import { appendFileSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JobOf, RepositoryAccess } from '@backupx/contracts/jobs';
import { afterAll, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { namesIn, packPath, removeFile } from '../support/damage.ts';
import { makeNoise } from '../support/make-tree.ts';
import { useQuickKey } from '../support/quick-key.ts';
import {
  backup,
  backupJob,
  check,
  copyAll,
  createRunner,
  folderOf,
  forgetJob,
  initJob,
  password,
  pruneJob,
  repair,
  repositoryAt,
  restore,
  snapshotIds,
  startJob,
} from '../support/repository.ts';
import { modernRestic, type Restic, restic } from '../support/restic.ts';
import { root, waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('operations', { isInMemory: true });
const runner = createRunner(work.at('temp'));
const repository = repositoryAt(work.at('repository'));
const second = repositoryAt(work.at('second'));
const source = work.at('source');
/** Newest first: it looks after each step, all of them at the end. */
const judges = [modernRestic(), restic].filter((judge) => typeof judge !== 'string');
/** What every machine with this program has: some thousands of small and large files. */
const REAL_FOLDERS = ['node_modules/zod', 'node_modules/mongodb', 'node_modules/@aws-sdk'];

afterAll(async () => {
  await runner.close();
  work.remove();
});

/** The files of the source that a turn touches. */
function filesOfTurn(turn: number): string[] {
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => path.join(entry.parentPath, entry.name)).sort();
  return paths.filter((_, at) => at % 7 === turn);
}

/** Some files go, some grow, some are there twice. */
function change(turn: number): void {
  for (const [at, file] of filesOfTurn(turn).entries()) {
    if (at % 3 === 0) rmSync(file);
    else if (at % 3 === 1) appendFileSync(file, `turn ${turn}`);
    else cpSync(file, `${file}.${turn}`);
  }
}

const keys = (more: Pick<JobOf<'repository_keys'>, 'action'> & Partial<JobOf<'repository_keys'>>) =>
  runner.run({ kind: 'repository_keys', repository, password: null, keyId: null, hostname: 'judge', ...more });

let masterKey = '';
let condemnedPacks: string[] = [];
let addedKey: string | null = null;
const ids = () => snapshotIds(runner, repository);

interface Step {
  readonly name: string;
  run(): Promise<unknown>;
  /** What it may have changed; otherwise the first repository. */
  readonly touched?: readonly RepositoryAccess[];
}

/** In this order; each leaves what it touched whole. */
const steps: readonly Step[] = [
  {
    name: 'init',
    async run() {
      ({ masterKey } = await runner.run(initJob(repository)));
    },
  },
  {
    name: 'first backup',
    async run() {
      await useQuickKey(folderOf(repository), masterKey);
      await backup(runner, repository, [source]);
    },
  },
  {
    name: 'second backup',
    run() {
      change(1);
      return backup(runner, repository, [source]);
    },
  },
  {
    name: 'key add',
    async run() {
      addedKey = (await keys({ action: 'add', password: 'another' })).addedId;
    },
  },
  { name: 'key remove', run: () => keys({ action: 'remove', keyId: addedKey }) },
  { name: 'key change', run: () => keys({ action: 'change', password }) },
  {
    name: 'backup of less',
    async run() {
      await useQuickKey(folderOf(repository), masterKey);
      rmSync(path.join(source, 'zod'), { recursive: true });
      change(2);
      await backup(runner, repository, [source]);
    },
  },
  { name: 'forget', run: async () => runner.run(forgetJob(repository, (await ids()).slice(0, 2))) },
  {
    name: 'mark',
    async run() {
      ({ condemnedPacks } = await runner.run(pruneJob(repository, { phase: 'mark' })));
      expect(condemnedPacks.length).toBeGreaterThan(0);
    },
  },
  {
    name: 'backup between mark and sweep',
    run() {
      change(3);
      return backup(runner, { ...repository, condemnedPacks }, [source]);
    },
  },
  {
    name: 'sweep',
    async run() {
      const swept = await runner.run(pruneJob({ ...repository, condemnedPacks }, { phase: 'sweep' }));
      expect(swept.packsRemoved).toBe(condemnedPacks.length);
    },
  },
  { name: 'forget all but one', run: async () => runner.run(forgetJob(repository, (await ids()).slice(0, -1))) },
  {
    name: 'prune',
    run: async () => expect((await runner.run(pruneJob(repository))).packsRepacked).toBeGreaterThan(0),
  },
  { name: 'copy', run: copyToSecond, touched: [repository, second] },
  {
    name: 'repair of the index',
    async run() {
      for (const name of namesIn(folderOf(second), 'index')) removeFile(folderOf(second), `index/${name}`);
      expect((await repair(runner, second, 'index')).changes).not.toEqual([]);
    },
    touched: [second],
  },
  {
    name: 'repair of the snapshots',
    async run() {
      removeFile(folderOf(second), packPath(await fullestDataPack()));
      await repair(runner, second, 'index');
      expect((await repair(runner, second, 'snapshots')).newSnapshotIds).toHaveLength(1);
    },
    touched: [second],
  },
  { name: 'unlock', run: unlockDead },
];

async function copyToSecond(): Promise<void> {
  const made = await runner.run(initJob(second));
  await useQuickKey(folderOf(second), made.masterKey);
  expect((await copyAll(runner, repository, second)).copied).toHaveLength(1);
}

/** Takes away the lock of a backup that was killed. */
async function unlockDead(): Promise<void> {
  writeFileSync(work.at('slow'), makeNoise(3_000_000, 1));
  const job = { ...backupJob(repository, [work.at('slow')]), bandwidthBytesPerSecond: 1000 };
  const slow = startJob(job, { tempDir: work.at('temp') });
  await waitFor('it holds a lock', async () => namesIn(folderOf(repository), 'locks').length > 0);
  await slow.kill();
  const { removed } = await runner.run({ kind: 'unlock_repository', repository, all: false });
  expect(removed).toHaveLength(1);
}

/** It holds content, and not all of it. */
async function fullestDataPack(): Promise<string> {
  const [name = ''] = namesIn(folderOf(second), 'index');
  const index = JSON.parse(await restic.open(folderOf(second), password).ok(['cat', 'index', name])) as {
    packs: { id: string; blobs: { type: string; length: number }[] }[];
  };
  const data = index.packs.filter(({ blobs }) => blobs[0]?.type === 'data');
  expect(data.length).toBeGreaterThan(1);
  return data.sort((a, b) => b.blobs.length - a.blobs.length)[0]?.id ?? '';
}

/** Not even a lock may be left, so none is taken away before. */
async function mustFindNothing(judge: Restic, one: RepositoryAccess, step: string): Promise<void> {
  const theirView = judge.open(folderOf(one), password);
  const { status, stdout, stderr } = await theirView.run(['check', '--read-data']);
  expect(status, `${judge.name} after ${step}: ${stdout}${stderr}`).toBe(0);
}

it('leaves a repository in which stock restic finds nothing wrong, each time', { timeout: 300_000 }, async () => {
  for (const folder of REAL_FOLDERS)
    cpSync(path.join(root, folder), path.join(source, path.basename(folder)), { recursive: true });
  expect(filesOfTurn(0).length).toBeGreaterThan(300);
  for (const { name, run, touched = [repository] } of steps) {
    await run();
    for (const one of touched) await mustFindNothing(judges[0] ?? restic, one, name);
  }
  for (const judge of judges) {
    for (const one of [repository, second]) await mustFindNothing(judge, one, 'all');
    await judge.open(folderOf(repository), password).restore('latest', work.at('out'));
    expect(compareTrees(source, path.join(work.at('out'), source))).toEqual([]);
    rmSync(work.at('out'), { recursive: true });
  }
  await restore(runner, repository, (await ids()).at(-1) ?? '', work.at('out'));
  expect(compareTrees(source, path.join(work.at('out'), source))).toEqual([]);
  expect(await check(runner, repository)).toMatchObject({ status: 'clean', problems: [] });
});
