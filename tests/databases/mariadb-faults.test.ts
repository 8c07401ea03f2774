/** MariaDB backups that cannot go well: each must say why, within seconds, and leave nothing behind. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools, killTool, watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('mariadb-faults');
const runner = createRunner(work.at('temp'));
const PASSWORD = ` a:\\"' #ü=;%\t`;
let server: Mariadb;
let jobs: SourceJobs;

beforeAll(async () => {
  server = await startMariadb();
  const password = PASSWORD.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  server.sql(`CREATE DATABASE a; CREATE DATABASE b; USE a; CREATE TABLE t (i INT PRIMARY KEY, v LONGTEXT);
    INSERT INTO t SELECT seq, REPEAT(SHA2(seq, 512), 20) FROM seq_1_to_20000; CREATE TABLE b.t (i INT);
    CREATE PROCEDURE b.p() SELECT 1; CREATE TRIGGER b.g BEFORE INSERT ON b.t FOR EACH ROW SET NEW.i = 1;
    CREATE USER odd@'127.0.0.1' IDENTIFIED BY '${password}'; GRANT ALL ON *.* TO odd@'127.0.0.1';
    CREATE USER weak@'127.0.0.1'; GRANT SELECT, SHOW VIEW, LOCK TABLES, EVENT ON *.* TO weak@'127.0.0.1'`);
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

/** Nothing is stored, and nothing with a secret is left. */
afterEach(() => {
  expect(readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)))).toEqual([]);
});
const stored = () => readdirSync(jobs.store, { recursive: true }).filter((name) => String(name).includes('backup'));

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mysql',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root', ...more },
});

describe('before anything is read', () => {
  it.each([
    ['a wrong password', { dbUser: 'odd', dbPassword: 'wrong' }, 'DATABASE_AUTH'],
    ['a closed port', { dbPort: 1 }, 'DATABASE_UNREACHABLE'],
    ['no such socket', { dbSocket: '/nonexistent/s.sock' }, 'DATABASE_UNREACHABLE'],
    ['a database that is missing', { databases: ['gone'] }, 'DATABASE_NOT_FOUND'],
    ['a server without TLS', { tlsMode: 'required' }, 'DATABASE_TLS'],
    ['a server without TLS whose certificate is to be checked', { tlsMode: 'verify-full' }, 'DATABASE_TLS'],
  ])('%s', async (_, config, code) => {
    const before = stored();
    await expect(jobs.backup(source(config))).rejects.toMatchObject({ code });
    expect(stored()).toEqual(before);
  });

  it.each([
    ['of the other flavour', 'mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)'],
    ['older than the server', 'mariadb-dump  Ver 10.19 Distrib 10.6.1-MariaDB, for debian-linux-gnu (x86_64)'],
  ])('a program %s', async (_, text) => {
    const folder = work.at('tools');
    mkdirSync(folder, { recursive: true });
    for (const name of ['mariadb-dump', 'mysqldump']) {
      writeFileSync(`${folder}/${name}`, `#!/bin/sh\necho '${text}'\n`);
      chmodSync(`${folder}/${name}`, 0o755);
    }
    await expect(jobs.backup(source({ toolFolder: folder }))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_MISMATCH',
      params: { package: 'mariadb-client 10.11 or newer' },
    });
  });
});

it('takes any password, and shows it to nobody', async () => {
  const watch = watchTools(work.path);
  const result = await jobs.backup(source({ dbUser: 'odd', dbPassword: PASSWORD }));
  const seen = watch.stop();
  expect(result.status).toBe('success');
  expect(seen.some(({ commandLine }) => commandLine.includes('mariadb-dump'))).toBe(true);
  for (const { commandLine, environment } of seen) {
    expect(commandLine).not.toContain(PASSWORD.trim().slice(0, 6));
    expect(environment).not.toContain(PASSWORD.trim().slice(0, 6));
  }
});

it('saves the others when one of three is missing', async () => {
  const result = await jobs.backup(source({ databases: ['a', 'gone', 'b'] }));
  expect(result).toMatchObject({ status: 'warning', problemCount: 1 });
  expect(result.problems[0]).toMatchObject({ path: '/mysql/gone', code: 'unreadable' });
  expect(result.itemCount).toBe(8);
});

it('lists what a user with few rights cannot see; the offered user misses nothing', async () => {
  const weak = source({ dbUser: 'weak' });
  const result = await jobs.backup(weak);
  expect(result.status).toBe('warning');
  expect(result.problems.map(({ message }) => message)).toContain('without the right TRIGGER triggers are not seen');
  const told = await runner.run({ kind: 'inspect_source', source: weak });
  expect(told).toMatchObject({
    server: expect.stringMatching(/^MariaDB 10/),
    tool: expect.stringContaining('mariadb-dump'),
  });
  expect(told.databases.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(told.databases[0]?.sizeBytes).toBeGreaterThan(1e4);
  expect(told.warnings).toContain('a, b: without the right TRIGGER triggers are not seen.');
  server.sql(String(told.readOnlyUserSql).replace('…a long password…', 'long'));
  const able = source({ dbUser: 'backupx', dbPassword: 'long' });
  expect((await runner.run({ kind: 'inspect_source', source: able })).warnings).toEqual([]);
  expect(await jobs.backup(able)).toMatchObject({ status: 'success', problems: [] });
});

describe('in the middle of a dump', () => {
  it('the program is killed', async () => {
    const before = stored();
    const [result] = await Promise.allSettled([jobs.backup(source()), killTool('mariadb-dump', work.path)]);
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_TOOL_FAILED' } });
    expect(String((result as PromiseRejectedResult).reason.message)).toContain('SIGKILL');
    expect(stored()).toEqual(before);
  });

  it('the disk of the storage is full', async () => {
    const full = work.at('full');
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', full]);
    try {
      const job = jobs.backupJob(source());
      const target = { ...job.targets[0], config: { basePath: full, masterRelay: false } } as (typeof job.targets)[0];
      await expect(runner.run({ ...job, compression: 'none', targets: [target] })).rejects.toMatchObject({
        code: expect.stringMatching(/^STORAGE_/),
      });
      expect(readdirSync(full, { recursive: true }).filter((name) => String(name).includes('backup'))).toEqual([]);
    } finally {
      execFileSync('umount', [full]);
    }
  });

  it('the server is killed', async () => {
    const before = stored();
    const running = jobs.backup(source());
    const killed = killServerWhileDumping(() => server.kill());
    const [result] = await Promise.allSettled([running, killed]);
    await server.start();
    expect(result).toMatchObject({ status: 'rejected', reason: { code: expect.stringMatching(/^DATABASE_/) } });
    expect(stored()).toEqual(before);
  });
});

async function killServerWhileDumping(kill: () => Promise<void>): Promise<void> {
  while (!findTools(work.path).some(({ name }) => name === 'mariadb-dump'))
    await new Promise((resolve) => setTimeout(resolve, 2));
  await kill();
}

describe('TLS', () => {
  it('is checked as far as was asked', async () => {
    const folder = work.at('tls');
    mkdirSync(folder);
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    for (const name of ['server', 'other']) {
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost',
      );
    }
    const read = (name: string) => execFileSync('cat', [`${folder}/${name}`], { encoding: 'utf8' });
    const secure = await startMariadb({ tls: { key: read('server.key'), certificate: read('server.pem') } });
    try {
      secure.sql(`CREATE DATABASE a; CREATE TABLE a.t (i INT)`);
      const inspect = (config: Record<string, unknown>) =>
        runner.run({ kind: 'inspect_source', source: source({ dbPort: secure.port, ...config }) });
      const code = expect.objectContaining({ code: 'DATABASE_TLS' });
      await expect(inspect({ tlsMode: 'required' })).resolves.toBeDefined();
      await expect(inspect({ tlsMode: 'preferred' })).resolves.toBeDefined();
      await expect(
        inspect({ tlsMode: 'verify-full', dbHost: 'localhost', tlsCa: read('server.pem') }),
      ).resolves.toBeDefined();
      await expect(inspect({ tlsMode: 'verify-full', tlsCa: read('server.pem') })).rejects.toEqual(code);
      await expect(inspect({ tlsMode: 'verify-full', dbHost: 'localhost', tlsCa: read('other.pem') })).rejects.toEqual(
        code,
      );
      await expect(inspect({ tlsMode: 'verify-ca', dbHost: 'localhost' })).rejects.toEqual(code);
    } finally {
      await secure.stop();
    }
  });
});
