/** What is killed or full in the middle of a dump into a repository: nothing of it stays, and the next backup is whole. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { mayMount } from '../support/faulty-runs.ts';
import { check, createRunner, repositoryAt, snapshotIds, startJob } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools, killTool } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { databaseNames } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-faults-repository');
const runner = createRunner(work.at('temp'));
const ROWS = 200_000;
let server: Postgresql;

beforeAll(async () => {
  chmodSync(work.path, 0o711);
  server = await startPostgresql();
  server.sql('CREATE DATABASE big; CREATE DATABASE slow');
  // Little to store, and much to send: whatever is done to its dump happens in the middle.
  server.sql("CREATE TABLE wide AS SELECT repeat('x', 20000000) AS text", 'slow');
  for (let count = 1; count < 64; count *= 2) server.sql('INSERT INTO wide SELECT text FROM wide', 'slow');
  const rows = `SELECT g AS id, repeat(md5(g::text), 3) AS text FROM generate_series(1, ${ROWS}) g`;
  // A vacuum in the middle would count pages anew.
  const quiet = 'WITH (autovacuum_enabled = off)';
  server.sql(`CREATE TABLE rows ${quiet} AS ${rows}; CREATE TABLE more ${quiet} AS SELECT * FROM rows; ANALYZE`, 'big');
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const running = () => findTools(`port='${server.port}'`);
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each(['custom', 'directory'])('a dump in the %s format', (format) => {
  let jobs: SourceJobs;
  let last: RunBackupResult;
  const own = { ...work, at: (...parts: string[]) => work.at(format, ...parts) };
  const source = (database = 'big') => ({
    type: 'postgresql',
    config: {
      ...{
        dbHost: '127.0.0.1',
        dbPort: server.port,
        dbPassword: PASSWORD,
        databases: [database],
        includeGlobals: false,
      },
      ...{ format, parallelJobs: 2 },
    },
  });
  const repository = () => repositoryAt(jobs.store);
  const staged = () =>
    readdirSync(work.at('temp'), { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('secrets-'));

  beforeAll(async () => {
    mkdirSync(own.at());
    jobs = await createSourceJobs(runner, own, 'repository');
    await jobs.backup(source('postgres'));
  });

  /** Only what was there before is in the repository, and it is sound. */
  async function expectNothingOf(work: () => Promise<void>): Promise<void> {
    const before = await snapshotIds(runner, repository());
    await work();
    expect(await snapshotIds(runner, repository())).toEqual(before);
    expect(running()).toEqual([]);
    expect(staged()).toEqual([]);
  }

  /** To be asked at the end: a repository may hold data that nothing names, but nothing that is not whole. */
  async function expectSound(result: RunBackupResult): Promise<void> {
    expect(await check(runner, repository())).toMatchObject({ problems: [] });
    await jobs.restore(source(), result, { options: { rename: ['big=back'] } });
    expect(server.sql('SELECT count(*), sum(id) FROM rows', 'back')).toBe(
      server.sql('SELECT count(*), sum(id) FROM rows', 'big'),
    );
    server.sql('DROP DATABASE back');
  }

  it('fails when its program is killed', async () => {
    await expectNothingOf(async () => {
      const backup = failure(jobs.backup(source('slow')));
      await killTool('pg_dump', `port='${server.port}'`);
      const error = await backup;
      expect([error.code, error.message]).toEqual(['DATABASE_TOOL_FAILED', expect.stringContaining('SIGKILL')]);
    });
  });

  it('fails when the server dies', async () => {
    await expectNothingOf(async () => {
      const backup = failure(jobs.backup(source('slow')));
      await until(() => running().some(({ name }) => name === 'pg_dump'));
      await server.kill();
      expect((await backup).code).toMatch(/^DATABASE_(TOOL_FAILED|UNREACHABLE)$/);
      await server.start();
    });
  });

  it('ends at once when it is cancelled', async () => {
    const engine = createEngine({ tempDir: work.at('temp'), storageAttempts: 1 });
    await expectNothingOf(async () => {
      const abort = new AbortController();
      const backup = failure(
        engine.run(jobs.backupJob(source('slow')), { reporter: silentReporter, signal: abort.signal }),
      );
      await until(() => running().some(({ name }) => name === 'pg_dump'));
      abort.abort();
      expect((await backup).code).toBe('CANCELLED');
      await until(() => running().length === 0);
    });
    await engine.close(1000);
  });

  it('leaves nothing behind when its process is killed, once the next one has begun', async () => {
    await expectNothingOf(async () => {
      const child = startJob(jobs.backupJob(source('slow')), { tempDir: work.at('temp') });
      // What serves it stands still, so that it cannot end by itself.
      const backends: number[] = [];
      await until(() => {
        for (const pid of copying()) if (process.kill(pid, 'SIGSTOP')) backends.push(pid);
        return backends.length > 0;
      });
      try {
        await child.kill();
        const next = createEngine({ tempDir: work.at('temp'), storageAttempts: 1 });
        await until(() => running().length === 0);
        await next.close(1000);
      } finally {
        for (const pid of backends) process.kill(pid, 'SIGCONT');
      }
    });
    await until(() => copying().length === 0);
  });

  it.skipIf(!mayMount)('fails when the disk of the repository is full (needs root)', async () => {
    const full = work.at(`full-${format}`);
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', full]);
    try {
      const small = await createSourceJobs(
        runner,
        { ...work, at: (...parts) => path.join(full, ...parts) },
        'repository',
      );
      const error = await failure(small.backup(source()));
      expect(error.code).toMatch(/^(STORAGE|REPOSITORY)_/);
      expect(await snapshotIds(runner, repositoryAt(small.store))).toEqual([]);
      expect([running(), staged()]).toEqual([[], []]);
    } finally {
      execFileSync('umount', ['-l', full]);
    }
  });

  it.skipIf(!mayMount)('says when the folder for temporary files is full (needs root)', async () => {
    const full = work.at(`full-temp-${format}`);
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', full]);
    const small = createRunner(full);
    try {
      // The jobs of before, by an engine with little room.
      const backup = small.run(jobs.backupJob(source()));
      if (format === 'custom') expect(await backup).toMatchObject({ status: 'success' });
      else expect((await failure(backup)).message).toMatch(/No space left/);
      expect(readdirSync(full).flatMap((name) => readdirSync(path.join(full, name)))).toEqual([]);
      execFileSync('sh', ['-c', `cat /dev/zero > '${full}/fill' 2>/dev/null; true`]);
      const error = await failure(small.run(jobs.backupJob(source())));
      expect(error.message).toMatch(/the folder for temporary files is full/);
    } finally {
      await small.close();
      execFileSync('umount', ['-l', full]);
    }
  });

  it('is whole afterwards', async () => {
    last = await jobs.backup(source());
    await expectSound(last);
    expect(databaseNames(server).filter((name) => name.startsWith('backupx'))).toEqual([]);
  });

  it.skipIf(!mayMount)('is not called damaged by a proof that has no room (needs root)', async () => {
    const full = work.at(`full-proof-${format}`);
    mkdirSync(full);
    // Enough for an empty server, and for the files of the dump.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m,mode=755', 'tmpfs', full]);
    const small = createRunner(full);
    try {
      const artifact = jobs.artifactOf(last);
      const error = await failure(small.run({ kind: 'verify_artifact', source: source(), mode: 'deep', artifact }));
      expect(error.message).toMatch(/No space left on device|ENOSPC|free disk space|server closed the connection/);
      expect(readdirSync(full).flatMap((name) => readdirSync(path.join(full, name)))).toEqual([]);
    } finally {
      await small.close();
      execFileSync('umount', ['-l', full]);
    }
  });

  /** Processes of our server that send rows to a dump. */
  function copying(): number[] {
    const postmaster = readFileSync(path.join(server.folder, 'data/postmaster.pid'), 'utf8').split('\n')[0];
    return readdirSync('/proc').flatMap((name) => {
      try {
        const title = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        const isOurs = readFileSync(`/proc/${name}/status`, 'utf8').includes(`\nPPid:\t${postmaster}\n`);
        return isOurs && /^postgres: .* COPY/.test(title) ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
  }
});
