/** What goes wrong in practice is answered with a clear error, soon, and nothing is lost. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { errorCatalog } from '@backupx/contracts/errors';
import type { JobOf, RepositoryAccess } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packConfig } from '../../packages/engine/src/repository/format/config-file.ts';
import { unpackMasterKey } from '../../packages/engine/src/repository/format/master-key.ts';
import { createSealedBox } from '../../packages/engine/src/repository/format/sealed-box.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { namesIn } from '../support/damage.ts';
import { makeNoise, makeTree } from '../support/make-tree.ts';
import {
  backup,
  backupJob,
  check,
  createChildRunner,
  createRunner,
  folderOf,
  initJob,
  password,
  pruneJob,
  repositoryAt,
  restore,
  snapshotIds,
  startJob,
} from '../support/repository.ts';
import { restic } from '../support/restic.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('bad-input');
const runner = createRunner(work.at('temp'));
const source = work.at('source');
let number = 0;

/** A fresh repository with one snapshot. */
async function makeRepository(): Promise<{ repository: RepositoryAccess; masterKey: string; snapshotId: string }> {
  const repository = repositoryAt(work.at(`repository-${++number}`));
  const { masterKey } = await runner.run(initJob(repository));
  const { snapshot } = await backup(runner, repository, [source]);
  return { repository, masterKey, snapshotId: snapshot.snapshotId };
}

const list = (repository: RepositoryAccess): JobOf<'list_snapshots'> => ({
  kind: 'list_snapshots',
  repository,
  hostname: null,
  tags: [],
  path: null,
});

/** Whole ones: what is still being written keeps nobody out. */
const locksIn = (repository: RepositoryAccess): string[] =>
  existsSync(path.join(folderOf(repository), 'locks')) ? namesIn(folderOf(repository), 'locks') : [];
const lockShows = (repository: RepositoryAccess) =>
  waitFor('a lock is there', async () => locksIn(repository).length > 0);

beforeAll(() => makeTree(source, { files: 100 }));
afterAll(async () => {
  await runner.close();
  work.remove();
});

it('exit codes are those of restic', () => {
  const { REPOSITORY_NOT_FOUND, REPOSITORY_LOCKED, REPOSITORY_WRONG_PASSWORD } = errorCatalog;
  const codes = [REPOSITORY_NOT_FOUND, REPOSITORY_LOCKED, REPOSITORY_WRONG_PASSWORD].map(({ exitCode }) => exitCode);
  expect(codes).toEqual([10, 11, 12]);
});

describe('opening', () => {
  it('a wrong password, without a hang', async () => {
    const { repository } = await makeRepository();
    const wrong = { ...repository, unlock: { password: 'not this one' } };
    for (const job of [list(wrong), backupJob(wrong, [source]), pruneJob(wrong)])
      await expect(runner.run(job)).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
  });

  it.each([
    ['an empty folder', (folder: string) => mkdirSync(folder)],
    ['nothing at all', () => undefined],
    [
      'other files',
      (folder: string) => {
        mkdirSync(path.join(folder, 'keys'), { recursive: true });
        writeFileSync(path.join(folder, 'photo.jpg'), 'x');
      },
    ],
  ])('no repository, but %s', async (_what, make) => {
    const nowhere = repositoryAt(work.at(`nowhere-${++number}`));
    make(folderOf(nowhere));
    for (const job of [list(nowhere), backupJob(nowhere, [source])])
      await expect(runner.run(job)).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
  });

  it('a repository where one is to be made', async () => {
    const { repository, snapshotId } = await makeRepository();
    await expect(runner.run(initJob(repository))).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    expect(await snapshotIds(runner, repository)).toEqual([snapshotId]);
  });

  it.each([
    ['a version of the future', { version: 3, polynomial: null }],
    ['a reducible polynomial', { version: 2, polynomial: 0x3000000000000fn }],
    ['a polynomial of another degree', { version: 2, polynomial: 0x11bn }],
  ])('%s is refused', async (what, change) => {
    const { repository, masterKey } = await makeRepository();
    const real = await runner.run({ ...initJob(repository), adopt: true });
    const config = {
      version: change.version as 2,
      id: real.repositoryId,
      chunkerPolynomial: change.polynomial ?? BigInt(`0x${real.chunkerPolynomial}`),
    };
    const sealed = createSealedBox(unpackMasterKey(masterKey)).seal(packConfig(config));
    rmSync(path.join(folderOf(repository), 'config'));
    writeFileSync(path.join(folderOf(repository), 'config'), sealed);
    await expect(runner.run(list(repository))).rejects.toMatchObject({ code: 'REPOSITORY_UNSUPPORTED' });
    await expect(runner.run(backupJob(repository, [source]))).rejects.toMatchObject({ code: 'REPOSITORY_UNSUPPORTED' });
    // Stock restic takes any degree.
    if (what.endsWith('degree')) return;
    const theirs = restic.open(folderOf(repository), password);
    expect((await theirs.run(['backup', source])).status).not.toBe(0);
  });

  it('a snapshot that is not there', async () => {
    const { repository } = await makeRepository();
    await expect(restore(runner, repository, 'f'.repeat(64), work.at('none'))).rejects.toMatchObject({
      code: 'SNAPSHOT_NOT_FOUND',
    });
  });
});

describe('locks', () => {
  const children: ChildProcess[] = [];
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  /** A restic that holds a lock as long as it lives: shared while it waits for its input, exclusive when stopped. */
  async function holdLock(repository: RepositoryAccess, kind: 'shared' | 'exclusive'): Promise<ChildProcess> {
    const folder = folderOf(repository);
    const args = kind === 'shared' ? ['backup', '--stdin'] : ['check', '--read-data'];
    const child = spawn(restic.program, ['--no-cache', '-q', ...args], {
      env: { PATH: process.env.PATH, RESTIC_REPOSITORY: folder, RESTIC_PASSWORD: password },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    children.push(child);
    await waitFor('restic holds its lock', async () => locksIn(repository).length > 0 || child.exitCode !== null);
    if (kind === 'exclusive') child.kill('SIGSTOP');
    if (locksIn(repository).length > 0) return child;
    // It was done before anybody saw it.
    child.kill('SIGKILL');
    return await holdLock(repository, kind);
  }
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
  };

  it("a backup runs beside restic's; a prune is refused with its holder", async () => {
    const { repository } = await makeRepository();
    const child = await holdLock(repository, 'shared');
    expect((await backup(runner, repository, [source])).status).toBe('success');
    const refused = await runner.run(pruneJob(repository)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'REPOSITORY_LOCKED' });
    expect(String(refused)).toContain(String(child.pid));
    expect(String(refused)).toContain(hostname());
    await end(child, 'SIGINT');
    await runner.run(pruneJob(repository));
  });

  it('an exclusive lock of a living restic stops a backup; that of a dead one does not', async () => {
    const { repository } = await makeRepository();
    const child = await holdLock(repository, 'exclusive');
    await expect(runner.run(backupJob(repository, [source]))).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
    await end(child, 'SIGKILL');
    expect((await backup(runner, repository, [source])).status).toBe('success');
    expect((await check(runner, repository)).status).toBe('clean');
  });

  it('unlock takes stale locks away, says why, and leaves living ones unless told otherwise', async () => {
    const { repository } = await makeRepository();
    const dead = await holdLock(repository, 'exclusive');
    await end(dead, 'SIGKILL');
    const unlock = (all: boolean) => runner.run({ kind: 'unlock_repository', repository, all });
    const stale = await unlock(false);
    expect(stale.removed).toHaveLength(1);
    expect(stale.removed[0]?.reason).toMatch(/\w/);
    expect(stale.removed[0]?.holder).toContain(String(dead.pid));
    const alive = await holdLock(repository, 'shared');
    expect(await unlock(false)).toMatchObject({ removed: [], left: [expect.anything()] });
    expect((await unlock(true)).removed).toHaveLength(1);
    await end(alive, 'SIGKILL');
  });

  it('a lock of ours stops restic and is stale for it once our process is dead', async () => {
    const { repository } = await makeRepository();
    writeFileSync(path.join(source, 'slow'), makeNoise(3_000_000, 9));
    const slow = startJob(
      { ...backupJob(repository, [source]), bandwidthBytesPerSecond: 1000 },
      { tempDir: work.at('temp') },
    );
    await lockShows(repository);
    const theirs = restic.open(folderOf(repository), password);
    expect((await theirs.run(['prune'])).stderr).toContain(`PID ${slow.process.pid}`);
    await slow.kill();
    await theirs.ok(['unlock']);
    await theirs.ok(['prune']);
    await theirs.mustBeClean();
    rmSync(path.join(source, 'slow'));
  });
});

describe('clocks', () => {
  it.each([
    ['a day ahead', 86_400_000],
    ['a day behind', -86_400_000],
  ])('a clock %s: the run works, and nobody takes its lock for stale', async (_what, offsetMs) => {
    const { repository } = await makeRepository();
    const options = {
      tempDir: work.at('temp'),
      preload: 'disk-faults.ts',
      env: { FAULT_CLOCK_OFFSET_MS: String(offsetMs) },
    };
    writeFileSync(path.join(source, 'slow'), makeNoise(3_000_000, 9));
    const job = { ...backupJob(repository, [source]), bandwidthBytesPerSecond: 1_000_000 };
    const slow = startJob(job, options);
    await lockShows(repository);
    // It lives, but does not end before others have looked.
    slow.process.kill('SIGSTOP');
    try {
      await expect(runner.run(pruneJob(repository))).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
      const unlocked = await runner.run({ kind: 'unlock_repository', repository, all: false });
      expect(unlocked).toMatchObject({ removed: [], left: [expect.anything()] });
    } finally {
      slow.process.kill('SIGCONT');
    }
    expect((await slow.result).status).toBe('success');
    await restic.open(folderOf(repository), password).mustBeClean();
    // Its snapshot may be the older one by its time: a run with the right clock still finds a parent and ends well.
    expect((await backup(runner, repository, [source])).snapshot.bytesAdded).toBeLessThan(100_000);
    rmSync(path.join(source, 'slow'));
  });
});

describe('storages that fail', () => {
  const faulty = (repository: RepositoryAccess, env: Record<string, string>) =>
    createChildRunner({
      tempDir: work.at('temp'),
      preload: 'disk-faults.ts',
      env: { ...env, FAULT_FOLDER: folderOf(repository) },
    });

  it.each(['/data/', '/index/', '/snapshots/'])(
    'a write below %s is lost: the run says so, nothing else is',
    async (what) => {
      const { repository, snapshotId } = await makeRepository();
      writeFileSync(path.join(source, 'lost'), makeNoise(2_000_000, 5));
      await expect(backup(faulty(repository, { FAULT_LOSE: what }), repository, [source])).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
      });
      expect(await check(runner, repository)).toMatchObject({ status: 'clean', intactSnapshotIds: [snapshotId] });
      expect((await backup(runner, repository, [source])).status).toBe('success');
      await restic.open(folderOf(repository), password).mustBeClean();
      rmSync(path.join(source, 'lost'));
    },
  );

  it('reads that bring less than was asked for', async () => {
    const { repository, snapshotId } = await makeRepository();
    const short = faulty(repository, { FAULT_SHORT_READS: '1' });
    expect((await backup(short, repository, [source])).snapshot.bytesAdded).toBeLessThan(3000);
    expect(await check(short, repository)).toMatchObject({ status: 'clean' });
    await restore(short, repository, snapshotId, work.at('short'));
    expect(compareTrees(source, path.join(work.at('short'), source))).toEqual([]);
  });
});

const mountPoint = mkdtempSync(path.join(tmpdir(), 'backupx-full-repository-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=0700', 'backupx-tests', mountPoint]);
const whyNot = mounted.status === 0 ? null : `mounting is not permitted here: ${mounted.stderr ?? mounted.error}`;

describe.skipIf(whyNot)(`a disk that runs full${whyNot ? ` (${whyNot.trim()})` : ''}`, () => {
  afterAll(() => {
    spawnSync('umount', [mountPoint]);
    rmSync(mountPoint, { recursive: true, force: true });
  });

  it('says STORAGE_FULL, keeps what was there, and goes on once there is room', async () => {
    const repository = repositoryAt(path.join(mountPoint, 'repository'));
    await runner.run(initJob(repository));
    const { snapshot } = await backup(runner, repository, [source]);
    writeFileSync(path.join(source, 'large'), makeNoise(60_000_000, 6));
    await expect(backup(runner, repository, [source])).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await snapshotIds(runner, repository)).toEqual([snapshot.snapshotId]);
    expect(await check(runner, repository)).toMatchObject({ status: 'clean' });
    const theirs = restic.open(folderOf(repository), password);
    await theirs.mustBeClean();
    await runner.run(pruneJob(repository));
    expect(spawnSync('mount', ['-o', 'remount,size=200m', mountPoint]).status).toBe(0);
    expect((await backup(runner, repository, [source])).status).toBe('success');
    await theirs.mustBeClean();
    rmSync(path.join(source, 'large'));
  });
});
