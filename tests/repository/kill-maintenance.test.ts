/** Prune, mark, sweep and copy killed at exact steps: the repository stays clean, and the next run ends the work. */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Job, JobKind, JobOf, RepositoryAccess } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { copyFolder } from '../support/damage.ts';
import { killJob, killShare } from '../support/kill-rounds.ts';
import { makeNoise } from '../support/make-tree.ts';
import { useQuickKey } from '../support/quick-key.ts';
import {
  backup,
  check,
  copyAll,
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
import { restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('kill-maintenance', { isInMemory: true });
const runner = createRunner(work.at('temp'));
/** Two snapshots that are kept; two forgotten ones shared packs with them. */
let whole = repositoryAt(work.at('whole'));
let victim = repositoryAt(work.at('victim'));
const source = work.at('source');
let kept: string[] = [];

beforeAll(async () => {
  // Opened without a password from here on: that would be most of the time.
  const unlock = { masterKey: (await runner.run(initJob(whole))).masterKey };
  await useQuickKey(folderOf(whole), unlock.masterKey);
  [whole, victim] = [
    { ...whole, unlock },
    { ...victim, unlock },
  ];
  mkdirSync(source);
  const ids: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    for (let index = 0; index < 40; index++) {
      if (index % 4 === turn || turn === 0)
        writeFileSync(path.join(source, `file-${index}`), makeNoise(300_000, turn * 100 + index));
    }
    ids.push((await backup(runner, whole, [source])).snapshot.snapshotId);
  }
  kept = [ids[2] ?? '', ids[3] ?? ''];
  await runner.run(forgetJob(whole, ids.slice(0, 2)));
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

const theirViewOf = (repository: RepositoryAccess) => restic.open(folderOf(repository), password);

async function expectClean(repository: RepositoryAccess, isThorough: boolean): Promise<void> {
  const result = await check(runner, repository, isThorough ? 'all' : 'structure');
  expect(result.problems.filter(({ level }) => level === 'error')).toEqual([]);
  if (isThorough) await theirViewOf(repository).mustBeClean();
}

/** After a kill stock restic reads every byte, each time. */
async function expectCleanAfterKill(repository: RepositoryAccess, isThorough: boolean): Promise<void> {
  await expectClean(repository, isThorough);
  if (!isThorough) await theirViewOf(repository).mustBeClean({ isLeavingLocks: true });
}

/**
 * Kills the job at its first step, its second and so on, each time on a fresh copy, until it gets to its end; of more
 * steps than asked for, a random choice. `finish` is the run after the kill.
 */
async function killAtSteps<K extends JobKind>(parts: {
  readonly kills: number;
  readonly prepare: () => Promise<JobOf<K>>;
  readonly folder: string;
  readonly afterKill: (isThorough: boolean) => Promise<void>;
  readonly finish: (isThorough: boolean) => Promise<void>;
}): Promise<void> {
  const steps = await countSteps(parts);
  let died = 0;
  for (let turn = 0; died < parts.kills; turn++) {
    const step = parts.kills >= steps ? 1 + (turn % steps) : 1 + Math.floor(Math.random() * steps);
    const job = await parts.prepare();
    const isDead = await killJob(job, { tempDir: work.at('temp'), folder: parts.folder, atStep: step });
    if (isDead) died += 1;
    await parts.afterKill(turn % 3 === 0);
    await parts.finish(turn % 3 === 0);
    if (turn > parts.kills * 5) throw new Error(`only ${died} of ${turn} runs died`);
  }
  console.log(`${died} killed at ${steps} steps`);
}

/** Steps of a run that is not killed. */
async function countSteps<K extends JobKind>(parts: {
  prepare: () => Promise<JobOf<K>>;
  folder: string;
}): Promise<number> {
  const countFile = work.at('count');
  rmSync(countFile, { force: true });
  const options = { tempDir: work.at('temp'), folder: parts.folder, env: { FAULT_COUNT_FILE: countFile } };
  expect(await killJob(await parts.prepare(), options)).toBe(false);
  return 2 * statSync(countFile).size;
}

const limit = (kills: number): number => 120_000 + kills * 20_000;
const freshVictim = (): void => copyFolder(folderOf(whole), folderOf(victim));

async function expectPruned(isThorough: boolean): Promise<void> {
  await expectClean(victim, isThorough);
  // Nothing packed anew: ten packs that are small but whole would be joined, and how many there are is chance.
  const again = await runner.run(pruneJob(victim, { dryRun: true, maxRepackBytes: 0 }));
  expect(again).toMatchObject({ packsRemoved: 0, packsRepacked: 0, bytesFreed: 0, bytesUnusedLeft: 0 });
  expect((await snapshotIds(runner, victim)).toSorted()).toEqual(kept.toSorted());
}

it('prune under an exclusive lock', { timeout: limit(killShare(0.15)) }, async () => {
  await killAtSteps<'prune_repository'>({
    kills: killShare(0.15),
    folder: folderOf(victim),
    async prepare() {
      freshVictim();
      return pruneJob(victim);
    },
    afterKill: (isThorough) => expectCleanAfterKill(victim, isThorough),
    async finish(isThorough) {
      await runner.run(pruneJob(victim));
      await expectPruned(isThorough);
    },
  });
});

it('mark beside running backups', { timeout: limit(killShare(0.05)) }, async () => {
  await killAtSteps<'prune_repository'>({
    kills: killShare(0.05),
    folder: folderOf(victim),
    async prepare() {
      freshVictim();
      return pruneJob(victim, { phase: 'mark' });
    },
    afterKill: (isThorough) => expectCleanAfterKill(victim, isThorough),
    async finish(isThorough) {
      const { condemnedPacks } = await runner.run(pruneJob(victim, { phase: 'mark' }));
      await runner.run(pruneJob({ ...victim, condemnedPacks }, { phase: 'sweep' }));
      await expectClean(victim, isThorough);
    },
  });
});

it('sweep', { timeout: limit(killShare(0.05)) }, async () => {
  let condemnedPacks: string[] = [];
  await killAtSteps<'prune_repository'>({
    kills: killShare(0.05),
    folder: folderOf(victim),
    async prepare() {
      freshVictim();
      condemnedPacks = (await runner.run(pruneJob(victim, { phase: 'mark' }))).condemnedPacks;
      expect(condemnedPacks.length).toBeGreaterThan(0);
      return pruneJob({ ...victim, condemnedPacks }, { phase: 'sweep' });
    },
    afterKill: (isThorough) => expectCleanAfterKill(victim, isThorough),
    async finish(isThorough) {
      await runner.run(pruneJob({ ...victim, condemnedPacks }, { phase: 'sweep' }));
      await expectClean(victim, isThorough);
    },
  });
});

it('copy into another repository', { timeout: limit(killShare(0.15)) }, async () => {
  const empty = repositoryAt(work.at('empty'));
  const unlock = { masterKey: (await runner.run(initJob(empty))).masterKey };
  await useQuickKey(folderOf(empty), unlock.masterKey);
  const target = { ...repositoryAt(work.at('target')), unlock };
  await killAtSteps<'copy_snapshots'>({
    kills: killShare(0.15),
    folder: folderOf(target),
    async prepare() {
      copyFolder(folderOf(empty), folderOf(target));
      return { kind: 'copy_snapshots', from: whole, to: target, snapshotIds: null } satisfies Job;
    },
    async afterKill(isThorough) {
      await expectCleanAfterKill(target, isThorough);
      await expectClean(whole, false);
    },
    async finish(isThorough) {
      await copyAll(runner, whole, target);
      await expectClean(target, isThorough);
      const ids = await snapshotIds(runner, target);
      expect(ids).toHaveLength(kept.length);
      if (!isThorough) return;
      expect(await copyAll(runner, whole, target)).toMatchObject({ copied: [], blobsCopied: 0 });
      await restore(runner, target, ids.at(-1) ?? '', work.at('out'));
      expect(compareTrees(source, path.join(work.at('out'), source))).toEqual([]);
      rmSync(work.at('out'), { recursive: true });
    },
  });
});
