/**
 * Two writers of ours, stock restic, and a garbage collection that stops nobody, all at once with random interleavings;
 * some writers are killed. The test plays the master: it hands out leases, tells new ones which packs are condemned, and
 * sweeps once every older lease has ended. Content comes and goes and comes back, which is where a collector errs.
 *
 * `BACKUPX_TEST_MINUTES=10 npm test -- writers-and-prune` runs longer than the usual minute.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killJob } from '../support/kill-rounds.ts';
import { makeNoise } from '../support/make-tree.ts';
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
  restore,
  snapshotIds,
} from '../support/repository.ts';
import { restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const minutes = Number(process.env.BACKUPX_TEST_MINUTES ?? 1);
const FILES = 10;
/** So few different contents that what was deleted is soon wanted again. */
const CONTENTS = 24;
const KEPT_SNAPSHOTS = 3;
const EXTRA_MS = 120_000;

const work = makeWorkFolder('writers', { isInMemory: true });
const runner = createRunner(work.at('temp'));
/** Opened without a password once it is there: that would be most of the time. */
let repository = repositoryAt(work.at('repository'));
const theirView = restic.open(folderOf(repository), password);
const pick = (below: number): number => Math.floor(Math.random() * below);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// What the master knows.
const leases = new Set<number>();
let lastLease = 0;
let condemned: string[] = [];
/** What each snapshot must hold: content number by file name. */
const contents = new Map<string, ReadonlyMap<string, number>>();
const counts = {
  backups: 0,
  killed: 0,
  foreign: 0,
  foreignLocked: 0,
  forgotten: 0,
  sweeps: 0,
  lateSweeps: 0,
  removed: 0,
};
let deadline = 0;
/** A busy machine gets more time to do enough of everything. */
const isOver = (): boolean => {
  const lateMs = performance.now() - deadline;
  const isEnough = counts.backups > minutes * 5 && counts.sweeps > minutes && counts.removed > 0;
  return lateMs > (isEnough ? 0 : EXTRA_MS);
};

async function withLease<T>(run: (access: typeof repository) => Promise<T>): Promise<T> {
  const leaseId = ++lastLease;
  leases.add(leaseId);
  try {
    return await run({ ...repository, id: 1, leaseId, condemnedPacks: condemned });
  } finally {
    leases.delete(leaseId);
  }
}

function changeSource(folder: string, files: Map<string, number>): void {
  for (let turn = 0; turn < 4; turn++) {
    const [name, content] = [`file-${pick(FILES)}`, pick(CONTENTS)];
    files.set(name, content);
    writeFileSync(path.join(folder, name), makeNoise(150_000 + content * 9_000, content));
  }
}

async function write(name: string): Promise<void> {
  const folder = work.at(name);
  mkdirSync(folder);
  const files = new Map<string, number>();
  const own: string[] = [];
  while (!isOver()) {
    changeSource(folder, files);
    if (pick(8) === 0) {
      await withLease(async (access) => {
        const job = backupJob(access, [folder], { hostname: name });
        const options = { tempDir: work.at('temp'), folder: '/nonexistent', afterMs: 300 + pick(700) };
        if (await killJob(job, options)) counts.killed += 1;
      });
      continue;
    }
    const { snapshot } = await withLease((access) => backup(runner, access, [folder], { hostname: name }));
    contents.set(snapshot.snapshotId, new Map(files));
    own.push(snapshot.snapshotId);
    counts.backups += 1;
    if (pick(5) === 0) await expectRestores(snapshot.snapshotId, folder, name);
    if (own.length > KEPT_SNAPSHOTS) await forget(own.splice(0, own.length - KEPT_SNAPSHOTS));
    await sleep(pick(300));
  }
}

async function forget(ids: readonly string[]): Promise<void> {
  for (const id of ids) contents.delete(id);
  await withLease((access) => runner.run(forgetJob(access, ids)));
  counts.forgotten += ids.length;
}

async function expectRestores(id: string, folder: string, name: string): Promise<void> {
  const out = work.at(`out-${name}`);
  await withLease((access) => restore(runner, access, id, out));
  expectContents(path.join(out, folder), contents.get(id));
  rmSync(out, { recursive: true });
}

function expectContents(folder: string, expected: ReadonlyMap<string, number> | undefined): void {
  expect(readdirSync(folder).sort()).toEqual([...(expected?.keys() ?? [])].sort());
  for (const [name, content] of expected ?? []) {
    const isSame = readFileSync(path.join(folder, name)).equals(makeNoise(150_000 + content * 9_000, content));
    if (!isSame) throw new Error(`${folder}/${name} is not content ${content}`);
  }
}

/** Knows nothing of leases: waits for nobody and finds the repository locked during a sweep. */
async function writeWithRestic(): Promise<void> {
  const folder = work.at('foreign');
  mkdirSync(folder);
  const files = new Map<string, number>();
  while (!isOver()) {
    changeSource(folder, files);
    const result = await theirView.run(['backup', '--json', '--host', 'foreign', folder]);
    if (result.status === 0) {
      const id = /"snapshot_id":"(\w+)"/.exec(result.stdout)?.[1] ?? '';
      contents.set(id, new Map(files));
      counts.foreign += 1;
    } else {
      expect(`${result.stderr}${result.stdout}`).toMatch(/lock/);
      counts.foreignLocked += 1;
    }
    await sleep(1000 + pick(3000));
  }
}

async function collect(): Promise<void> {
  while (!isOver()) {
    const marked = await withLease((access) => runner.run(pruneJob(access, { phase: 'mark' })));
    condemned = marked.condemnedPacks;
    const newest = lastLease;
    if (condemned.length > 0) {
      while ([...leases].some((lease) => lease <= newest)) await sleep(20);
      await sweep(newest);
    }
    condemned = [];
    await sleep(pick(1500));
  }
}

/** A foreign lock makes it come back later. */
async function sweep(newest: number): Promise<void> {
  for (;;) {
    const access = { ...repository, id: 1, condemnedPacks: condemned };
    try {
      const swept = await runner.run(pruneJob(access, { phase: 'sweep', lastOlderLease: newest }));
      counts.sweeps += 1;
      counts.removed += swept.packsRemoved;
      // What a sweep took too much would otherwise be forgotten before anybody looks.
      const { problems } = await withLease((reader) => check(runner, reader, 'structure'));
      expect(problems.filter(({ level }) => level === 'error')).toEqual([]);
      return;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'REPOSITORY_LOCKED') throw error;
      counts.lateSweeps += 1;
      await sleep(50 + pick(200));
    }
  }
}

beforeAll(async () => {
  repository = { ...repository, unlock: { masterKey: (await runner.run(initJob(repository))).masterKey } };
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

it(`nothing is lost in ${minutes} minute(s)`, { timeout: minutes * 60_000 + EXTRA_MS + 240_000 }, async () => {
  deadline = performance.now() + minutes * 60_000;
  await Promise.all([write('writer-1'), write('writer-2'), writeWithRestic(), collect()]);
  console.log(JSON.stringify(counts));
  expect(counts.backups).toBeGreaterThan(minutes * 5);
  expect(counts.sweeps).toBeGreaterThan(minutes);
  expect(counts.removed).toBeGreaterThan(0);

  await theirView.mustBeClean();
  const result = await check(runner, repository);
  expect(result.problems.filter(({ level }) => level === 'error')).toEqual([]);
  const ids = await snapshotIds(runner, repository);
  for (const [id, expected] of contents) {
    const full = ids.find((other) => other.startsWith(id));
    expect(full, `snapshot ${id} is there`).toBeDefined();
    const out = work.at('out');
    await theirView.ok(['restore', id, '--target', out]);
    const name = readdirSync(path.join(out, work.path))[0] ?? '';
    expectContents(path.join(out, work.path, name), expected);
    rmSync(out, { recursive: true });
  }
});
