/** What must not look like a success: wrong logins, missing things, killed servers and programs, full disks, damage. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunBackupResult, RunRestoreJob } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newerPrograms, PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { mayMount } from '../support/faulty-runs.ts';
import { createRunner, startJob } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools, killTool, watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { databaseNames, describeDatabase, makeShop } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-faults');
const runner = createRunner(work.at('temp'));
const newerServer = await newerPrograms();
let server: Postgresql;
let jobs: SourceJobs;

beforeAll(async () => {
  server = await startPostgresql();
  makeShop(server);
  server.sql('CREATE DATABASE big');
  server.sql(
    'CREATE TABLE rows AS SELECT g AS id, repeat(md5(g::text), 3) AS text FROM generate_series(1, 400000) g',
    'big',
  );
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, ...more },
});
const leftovers = () => [
  ...readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name))),
  ...readdirSync(jobs.store, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('backup.')),
];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const restoreJob = (result: RunBackupResult, rename: string[]): RunRestoreJob => ({
  ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'test', source: source() },
  ...{ artifact: jobs.artifactOf(result), targetPath: null, paths: null, overwrite: 'always', options: { rename } },
});
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

describe('before anything is dumped', () => {
  it('refuses a wrong password at once, and saves nothing', async () => {
    const startedAt = Date.now();
    const error = await failure(jobs.backup(source({ dbPassword: 'wrong' })));
    expect(error.code).toBe('DATABASE_AUTH');
    expect(error.message).toContain('"postgres"');
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(leftovers()).toEqual([]);
  });

  it('refuses a password that no password file can hold', async () => {
    for (const dbPassword of ['a\nb', 'a\r']) {
      expect(await failure(jobs.backup(source({ dbPassword })))).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('says where nothing listens', async () => {
    expect(await failure(jobs.backup(source({ dbPort: 1 })))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });

  it('saves the databases that are there, and names the one that is not', async () => {
    const result = await jobs.backup(source({ databases: ['shop', 'missing', 'postgres'] }));
    expect(result).toMatchObject({ status: 'warning', problemCount: 1 });
    expect(result.problems[0]).toMatchObject({ path: '/postgresql/missing', code: 'unreadable' });
    expect(await failure(jobs.backup(source({ databases: ['missing'] })))).toMatchObject({
      code: 'DATABASE_NOT_FOUND',
    });
  });

  it('says which package brings the programs', async () => {
    mkdirSync(work.at('empty'));
    const error = await failure(jobs.backup(source({ toolFolder: work.at('empty') })));
    expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISSING', params: { package: 'postgresql-client' } });
  });

  it.skipIf(newerServer === null)('refuses a server that is newer than every program here', async () => {
    const newer = await startPostgresql({ programs: newerServer ?? '' });
    try {
      const error = await failure(jobs.backup(source({ dbPort: newer.port })));
      expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISMATCH', params: { package: 'postgresql-client-18' } });
      expect(error.message).toMatch(/15\.\d+.*18\.\d+/);
    } finally {
      await newer.stop();
    }
  });

  it('tells tables it may not read, and rows that are hidden from it', async () => {
    server.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CONNECT ON DATABASE shop TO plain");
    const login = { dbUser: 'plain', dbPassword: 'plain', databases: ['shop'] };
    const error = await failure(jobs.backup(source(login)));
    expect(error).toMatchObject({ code: 'DATABASE_PERMISSION' });
    server.sql('GRANT pg_read_all_data TO plain; GRANT SELECT ON LARGE OBJECT 4711, 4712 TO plain', 'shop');
    expect((await failure(jobs.backup(source(login)))).message).toContain('row-level security');
    server.sql('ALTER ROLE plain BYPASSRLS');
    const result = await jobs.backup(source(login));
    expect(result.problems).toEqual([]);
    server.sql('REVOKE pg_read_all_data FROM plain');
    const poor = await jobs.backup(source({ ...login, databases: ['postgres'] }));
    expect(poor.problems).toEqual([expect.objectContaining({ path: '/postgresql/globals.sql' })]);
  });
});

describe('TLS', () => {
  it('tells apart a server without it, a stranger and a wrong name; and works with the right ones', async () => {
    const [key, certificate] = [work.at('key.pem'), work.at('cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        certificate,
        '-days',
        '2',
        ...subject,
      ],
      { stdio: 'ignore' },
    );
    const pem = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
    expect(await failure(jobs.backup(source({ tlsMode: 'require' })))).toMatchObject({ code: 'DATABASE_TLS' });
    const secure = await startPostgresql({ tls: pem });
    try {
      const attempt = (more: Record<string, unknown>) => jobs.backup(source({ dbPort: secure.port, ...more }));
      const stranger = await failure(attempt({ dbHost: 'localhost', tlsMode: 'verify-full' }));
      expect([stranger.code, stranger.message]).toEqual(['DATABASE_TLS', expect.stringContaining('verify failed')]);
      const wrongName = await failure(attempt({ tlsMode: 'verify-full', tlsCa: pem.certificate }));
      expect([wrongName.code, wrongName.message]).toEqual(['DATABASE_TLS', expect.stringContaining('does not match')]);
      expect(await attempt({ dbHost: 'localhost', tlsMode: 'verify-full', tlsCa: pem.certificate })).toMatchObject({
        status: 'success',
      });
    } finally {
      await secure.stop();
    }
  });
});

describe('in the middle', () => {
  it('shows no secret to others on the machine', async () => {
    const watch = watchTools(`port='${server.port}'`);
    const result = await jobs.backup(source({ databases: ['big', 'shop'] }));
    await jobs.restore(source(), result, { options: { rename: ['big=big2', 'shop=shop2'] } });
    const seen = watch.stop();
    expect([...new Set(seen.map(({ name }) => name))].sort()).toEqual(
      expect.arrayContaining(['pg_dump', 'pg_restore', 'psql']),
    );
    for (const tool of seen) {
      for (const text of [tool.commandLine, tool.environment]) {
        expect(text.includes(PASSWORD)).toBe(false);
        expect(text.includes('ss "w')).toBe(false);
      }
    }
    server.sql('DROP DATABASE big2');
    server.sql('DROP DATABASE shop2');
  });

  it('fails when the dump program is killed, and leaves nothing', async () => {
    const before = leftovers();
    const backup = failure(jobs.backup(source({ databases: ['big'] })));
    await killTool('pg_dump', `port='${server.port}'`);
    const error = await backup;
    expect([error.code, error.message]).toEqual(['DATABASE_TOOL_FAILED', expect.stringContaining('SIGKILL')]);
    expect(leftovers()).toEqual(before);
    expect(findTools(`port='${server.port}'`)).toEqual([]);
  });

  it('fails when the server dies', async () => {
    const before = leftovers();
    const backup = failure(jobs.backup(source({ databases: ['big'] })));
    while (!findTools(`port='${server.port}'`).some(({ name }) => name === 'pg_dump')) await pause(2);
    await server.kill();
    expect((await backup).code).toMatch(/^DATABASE_(TOOL_FAILED|UNREACHABLE)$/);
    await server.start();
    expect(leftovers()).toEqual(before);
    expect(findTools(`port='${server.port}'`)).toEqual([]);
  });

  it('ends every program when it is cancelled, and drops what it made', async () => {
    const engine = createEngine({ tempDir: work.at('cancelled'), storageAttempts: 1 });
    const cancelAt = async (name: string, run: (signal: AbortSignal) => Promise<unknown>) => {
      const abort = new AbortController();
      const work = failure(run(abort.signal));
      while (!findTools(`port='${server.port}'`).some((tool) => tool.name === name)) await pause(2);
      abort.abort();
      expect((await work).code).toBe('CANCELLED');
      await pause(200);
      expect(findTools(`port='${server.port}'`)).toEqual([]);
    };
    const reporter = silentReporter;
    await cancelAt('pg_dump', (signal) =>
      engine.run(jobs.backupJob(source({ databases: ['big'] })), { reporter, signal }),
    );
    const result = await jobs.backup(source({ databases: ['big'] }));
    const job = restoreJob(result, ['big=big5']);
    await cancelAt('pg_restore', (signal) => engine.run(job, { reporter, signal }));
    expect(databaseNames(server).filter((name) => /^(big5|backupx)/.test(name))).toEqual([]);
    await engine.close(1000);
  });

  it.skipIf(!mayMount)('fails on a full disk, and leaves nothing there (needs root)', async () => {
    const full = work.at('full');
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', full]);
    try {
      const job = jobs.backupJob(source({ databases: ['big'] }));
      const targets = job.targets.map((target) => ({ ...target, config: { ...target.config, basePath: full } }));
      const error = await failure(runner.run({ ...job, targets, compression: 'none' }));
      expect(error.code).toMatch(/^STORAGE_/);
      expect(
        readdirSync(full, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('backup')),
      ).toEqual([]);
      const result = await jobs.backup(source({ databases: ['big'] }));
      mkdirSync(path.join(full, 'temp'));
      const small = createRunner(path.join(full, 'temp'));
      const smallJobs = { ...(await createSourceJobs(small, work, 'archive')) };
      const restore = smallJobs.restore(source(), result, { options: { rename: ['big=big3'], parallelJobs: 2 } });
      expect((await failure(restore)).message).toContain('ENOSPC');
      await small.close();
      expect(databaseNames(server).filter((name) => /^(big3|backupx)/.test(name))).toEqual([]);
    } finally {
      execFileSync('umount', ['-l', full]);
    }
  });

  it('drops what a killed restore left, at the next one', async () => {
    const result = await jobs.backup(source({ databases: ['big'] }));
    const job = restoreJob(result, ['big=big4']);
    const child = startJob(job, { tempDir: mkdtempSync(work.at('killed-')) });
    while (!findTools(`port='${server.port}'`).some(({ name }) => name === 'pg_restore')) await pause(2);
    await child.kill();
    expect(databaseNames(server).filter((name) => name.startsWith('backupx_restore_'))).toHaveLength(1);
    await pause(1500);
    expect(findTools(`port='${server.port}'`)).toEqual([]);
    await jobs.restore(source(), result, { options: { rename: ['big=big4'] } });
    expect(databaseNames(server).filter((name) => name.startsWith('backupx'))).toEqual([]);
    server.sql('DROP DATABASE big4');
  });

  it('leaves the database alone when the artifact is cut off or has a flipped bit', async () => {
    const result = await jobs.backup(source({ databases: ['shop'] }));
    const before = describeDatabase(server, 'shop');
    const file = path.join(jobs.store, result.storagePath);
    const bytes = readFileSync(file);
    const flipped = Buffer.from(bytes);
    const at = flipped.byteLength >> 1;
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    for (const damaged of [bytes.subarray(0, bytes.byteLength >> 1), flipped]) {
      writeFileSync(file, damaged);
      const error = await failure(jobs.restore(source(), result, { options: { replaceExisting: true } }));
      expect(error.code).toMatch(/^(ARTIFACT|DATABASE)_/);
      expect(describeDatabase(server, 'shop')).toBe(before);
      expect(databaseNames(server).filter((name) => name.startsWith('backupx'))).toEqual([]);
    }
  });
});
