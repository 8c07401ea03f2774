/** MariaDB backups that cannot go well: each must say why, within seconds, and leave nothing behind. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { type Relay, startRelay } from '../servers/meddling-relay.ts';
import { makeCertificates } from '../servers/redis.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { cancelled, storedBelow, until } from '../support/faulty-runs.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
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
const stored = () => storedBelow(jobs.store);

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

it('takes any password, and shows it to nobody, in a restore and a proof neither', async () => {
  const names = ['mariadb', 'mariadb-dump', 'mariadb-install-db', 'mariadbd'];
  const { folder, called, text } = recordPrograms(work.at('recorded'), names);
  const odd = source({ dbUser: 'odd', dbPassword: PASSWORD, databases: ['b'], toolFolder: folder });
  const result = await jobs.backup(odd);
  expect(result.status).toBe('success');
  expect(await jobs.restore(odd, result, { options: { replaceExisting: true } })).toMatchObject({ status: 'success' });
  const proof = { kind: 'verify_artifact', source: odd, mode: 'deep', artifact: jobs.artifactOf(result) } as const;
  expect((await runner.run(proof)).status).toBe('success');
  expect(called()).toEqual(names);
  expect(text()).not.toContain(PASSWORD.trim().slice(0, 6));
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

const databases = () => server.sql('SHOW DATABASES').split('\n').filter(Boolean).sort();

let relay: Relay;
/** Of the first table a part is sent, and no more. */
async function besideRelay(act: () => Promise<void>): Promise<void> {
  relay = await startRelay(server.port, 'SELECT /*!40001', { stallAfter: 1_000_000 });
  try {
    await act();
  } finally {
    relay.close();
  }
}

for (const mode of backupModes) {
  const shared = { work, runner };
  damagedBackups(mode, {
    ...{ ...shared, name: 'a backup of MariaDB', source: () => source({ databases: ['b'] }) },
    restore: { options: { replaceExisting: true } },
    look: () => [databases(), server.sql('SHOW TABLES FROM b; SHOW CREATE TRIGGER b.g')],
  });
  dumpFaults(mode, {
    ...{ ...shared, name: 'a dump of MariaDB', leavesSecrets: true, isStreamed: true },
    slow: () => source({ dbPort: relay.port }),
    large: () => source(),
    quick: () => source({ databases: ['b'] }),
    beside: besideRelay,
    begun: () => relay.said,
    hasEnded: () => findTools(work.path).length === 0,
    program: { name: 'mariadb-dump', word: () => work.path },
    server: { kill: () => server.kill().then(relay.close), start: () => server.start() },
  });
}

describe('a restore', () => {
  it('that is cancelled leaves nothing, and what is there as it is', async () => {
    const result = await jobs.backup(source());
    const before = [databases(), server.sql('CHECKSUM TABLE a.t EXTENDED')];
    const job = jobs.restoreJob(source(), result, { options: { replaceExisting: true } });
    const loading = () => until('a scratch database', () => /backupx_restore_\w+_0/.test(databases().join('\n')));
    expect(await cancelled(job, { tempDir: work.at('temp'), when: loading })).toMatchObject({ code: 'CANCELLED' });
    await until('the end of its programs', () => findTools(work.path).length === 0);
    expect([databases(), server.sql('CHECKSUM TABLE a.t EXTENDED')]).toEqual(before);
  });
});

describe('TLS', () => {
  it('is checked as far as was asked', async () => {
    const files = makeCertificates(work.at('tls'));
    const read = (file: string) => readFileSync(file, 'utf8');
    const secure = await startMariadb({ tls: { key: read(files.key), certificate: read(files.cert) } });
    try {
      secure.sql(`CREATE DATABASE a; CREATE TABLE a.t (i INT)`);
      const inspect = (config: Record<string, unknown>) =>
        runner.run({ kind: 'inspect_source', source: source({ dbPort: secure.port, ...config }) });
      const code = expect.objectContaining({ code: 'DATABASE_TLS' });
      await expect(inspect({ tlsMode: 'required' })).resolves.toBeDefined();
      await expect(inspect({ tlsMode: 'preferred' })).resolves.toBeDefined();
      await expect(
        inspect({ tlsMode: 'verify-full', dbHost: 'localhost', tlsCa: read(files.ca) }),
      ).resolves.toBeDefined();
      await expect(inspect({ tlsMode: 'verify-full', tlsCa: read(files.ca) })).rejects.toEqual(code);
      await expect(
        inspect({ tlsMode: 'verify-full', dbHost: 'localhost', tlsCa: read(files.otherCa) }),
      ).rejects.toEqual(code);
      await expect(inspect({ tlsMode: 'verify-ca', dbHost: 'localhost' })).rejects.toEqual(code);
    } finally {
      await secure.stop();
    }
  });
});
