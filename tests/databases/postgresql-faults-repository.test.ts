/** What is killed or full in the middle of a dump into a repository: nothing of it stays, and the next backup is whole. */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { dumpFaults, rowIf, secretsBelow } from '../support/dump-faults.ts';
import { besideSmallDisk, failureOf, mayMount, until } from '../support/faulty-runs.ts';
import { check, createRunner, repositoryAt, snapshotIds, startJob } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
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
  const staged = () => secretsBelow(work.at('temp'));

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

  dumpFaults('repository', {
    ...{ name: `a dump in the ${format} format`, work, runner, leavesSecrets: true },
    slow: () => source('slow'),
    large: () => source(),
    quick: () => source('postgres'),
    begun: () => until('the dump', () => running().some(({ name }) => name === 'pg_dump') && copying().length > 0),
    hasEnded: () => running().length === 0 && copying().length === 0,
    isStreamed: format === 'custom',
    endsWithNext: format === 'directory',
    program: { name: 'pg_dump', word: () => `port='${server.port}'` },
    server: { kill: () => server.kill(), start: () => server.start() },
  });

  rowIf(format === 'directory')('ends what its program had split off once the next one has begun', async () => {
    await expectNothingOf(async () => {
      const child = startJob(jobs.backupJob(source('slow')), { tempDir: work.at('temp') });
      // What serves it stands still, so that it cannot end by itself.
      const backends: number[] = [];
      await until('what serves it', () => {
        for (const pid of copying()) if (process.kill(pid, 'SIGSTOP')) backends.push(pid);
        return backends.length > 0;
      });
      try {
        await child.kill();
        const next = createEngine({ tempDir: work.at('temp'), storageAttempts: 1 });
        await until('the end of its programs', () => running().length === 0);
        await next.close(1000);
      } finally {
        for (const pid of backends) process.kill(pid, 'SIGCONT');
      }
    });
    await until('the end of what served it', () => copying().length === 0);
  });

  rowIf(format === 'directory', { mounts: true })('says when the temporary folder is full (needs root)', async () => {
    const full = work.at('full-temp');
    await besideSmallDisk(full, '8m', async () => {
      const small = createRunner(full);
      // The jobs of before, by an engine with little room.
      expect((await failureOf(small.run(jobs.backupJob(source())))).message).toMatch(/No space left/);
      await small.close();
      expect(secretsBelow(full)).toEqual([]);
    });
  });

  it('is whole afterwards', async () => {
    last = await jobs.backup(source());
    await expectSound(last);
    expect(databaseNames(server).filter((name) => name.startsWith('backupx'))).toEqual([]);
  });

  it.skipIf(!mayMount)('is not called damaged by a proof that has no room (needs root)', async () => {
    const full = work.at(`full-proof-${format}`);
    // Enough for an empty server, and for the files of the dump.
    await besideSmallDisk(full, '100m', async () => {
      chmodSync(full, 0o755);
      const small = createRunner(full);
      const artifact = jobs.artifactOf(last);
      const error = await failureOf(small.run({ kind: 'verify_artifact', source: source(), mode: 'deep', artifact }));
      expect(error.message).toMatch(/No space left on device|ENOSPC|free disk space|server closed the connection/);
      await small.close();
      expect(readdirSync(full).flatMap((name) => readdirSync(path.join(full, name)))).toEqual([]);
    });
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
