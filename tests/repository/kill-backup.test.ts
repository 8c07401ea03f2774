/** Backups killed with SIGKILL: the repository stays clean, and the next run uses what an index names already. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { namesIn } from '../support/damage.ts';
import { killJob, killShare } from '../support/kill-rounds.ts';
import { makeNoise } from '../support/make-tree.ts';
import { useQuickKey } from '../support/quick-key.ts';
import {
  backup,
  backupJob,
  check,
  createRunner,
  folderOf,
  forgetJob,
  initJob,
  password,
  pruneJob,
  repositoryAt,
  snapshotIds,
  startJob,
} from '../support/repository.ts';
import { restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const FILES = 8;
const FILE_BYTES = 6_000_000;
/** Ten minutes pass in less than a millisecond: an index is saved with every pack. Kills come after the first. */
const AFTER_CHECKPOINT = { FAULT_FAST_CLOCK: '1000000', FAULT_KILL_AFTER: '/index/' };

const work = makeWorkFolder('kill-backup', { isInMemory: true });
const runner = createRunner(work.at('temp'));
/** Opened without a password once it is there: that would be most of the time. */
let repository = repositoryAt(work.at('repository'));
const theirView = restic.open(folderOf(repository), password);
let seed = 1;
let usualMs = 1000;
let rounds = 0;

/** New content that was never stored, and some that was. */
function renewSource(): void {
  seed += FILES;
  for (let index = 0; index < FILES - 1; index++)
    writeFileSync(work.at('source', `noise-${index}`), makeNoise(FILE_BYTES, seed + index));
}

/** After a kill: nothing is broken, whatever way one looks; stock restic reads every byte. */
async function expectClean(isWithLocks: boolean): Promise<void> {
  const result = await check(runner, repository, 'structure');
  expect(result.problems.filter(({ level }) => level === 'error')).toEqual([]);
  expect(result.status).toBe('clean');
  await theirView.mustBeClean({ isLeavingLocks: !isWithLocks });
}

/** One kill (unless the run ended first), the look after it, and the run that follows. Answers whether it died. */
async function round(how: { afterMs?: number; atStep?: number; env?: Record<string, string> }): Promise<boolean> {
  renewSource();
  const before = namesIn(folderOf(repository), 'index');
  const job = backupJob(repository, [work.at('source')]);
  const died = await killJob(job, { ...how, tempDir: work.at('temp'), folder: folderOf(repository) });
  const isThorough = ++rounds % 4 === 0;
  await expectClean(isThorough);
  const isSomethingIndexed = namesIn(folderOf(repository), 'index').some((name) => !before.includes(name));
  const next = await backup(runner, repository, [work.at('source')]);
  expect(next.status).toBe('success');
  if (isSomethingIndexed) expect(next.snapshot.bytesAdded).toBeLessThan((FILES - 1) * FILE_BYTES - 1_000_000);
  if (isThorough) await theirView.mustBeClean();
  if (rounds % 8 === 0) await thinOut();
  return died && (how.env === undefined || isSomethingIndexed);
}

/** What dead runs left is garbage that a prune takes away. */
async function thinOut(): Promise<void> {
  const ids = await snapshotIds(runner, repository);
  await runner.run(forgetJob(repository, ids.slice(0, -1)));
  await runner.run(pruneJob(repository));
  const stored = readdirSync(path.join(folderOf(repository), 'data'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
  expect(stored).toBeLessThan(FILES * FILE_BYTES * 1.01);
  await theirView.mustBeClean();
}

async function repeat(count: number, one: (index: number) => Promise<boolean>): Promise<void> {
  let died = 0;
  for (let index = 0; died < count; index++) {
    if (await one(index)) died += 1;
    if (index > count * 5) throw new Error(`only ${died} of ${index} runs died`);
  }
  console.log(`${died} backups killed`);
}

beforeAll(async () => {
  mkdirSync(work.at('source'));
  writeFileSync(work.at('source', 'constant'), makeNoise(FILE_BYTES, 1));
  renewSource();
  const { masterKey } = await runner.run(initJob(repository));
  repository = { ...repository, unlock: { masterKey } };
  await useQuickKey(folderOf(repository), masterKey);
  for (let run = 0; run < 2; run++) {
    const startedAt = performance.now();
    const { result } = startJob(backupJob(repository, [work.at('source')]), { tempDir: work.at('temp') });
    await result;
    usualMs = performance.now() - startedAt;
    renewSource();
  }
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

it('at random moments', { timeout: 60_000 + killShare(0.35) * 15_000 }, async () => {
  await repeat(killShare(0.35), async () => {
    const afterMs = usualMs * (0.15 + 0.95 * Math.random());
    const died = await round({ afterMs });
    // It was done before: the machine has less to do now than when the time was taken.
    if (!died) usualMs = Math.min(usualMs, afterMs);
    return died;
  });
});

it('before and after exact steps: lock, packs, index, snapshot', {
  timeout: 60_000 + killShare(0.15) * 15_000,
}, async () => {
  await repeat(killShare(0.15), () => round({ atStep: 1 + Math.floor(Math.random() * 32) }));
});

it('after a checkpoint: the next run stores less', { timeout: 60_000 + killShare(0.1) * 25_000 }, async () => {
  await repeat(killShare(0.1), () => round({ atStep: 1 + Math.floor(Math.random() * 8), env: AFTER_CHECKPOINT }));
});
