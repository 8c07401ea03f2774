/** MariaDB there and back: every object and row, names of all kinds, what a restore replaces and what it refuses. */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { LogLevel, RunRestoreJob } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysqlSource } from '../../packages/engine/src/sources/mysql/mysql-source.ts';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { verifyFolder } from '../support/verify-folder.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { describeDatabase, makeOddDatabases, makeShop, ODD_NAMES } from './mariadb-samples.ts';

const work = makeWorkFolder('mariadb-tests');
const runner = createRunner(work.at('temp'));
let server: Mariadb;

beforeAll(async () => {
  server = await startMariadb();
  makeShop(server);
  makeOddDatabases(server);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mysql',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root', ...more },
});
const shop = () => source({ databases: ['shop', 'other'] });
const schemas = () => server.sql('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1');
const leftInTemp = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));

/** What a restore warns of. */
async function foretold(job: RunRestoreJob): Promise<string[]> {
  const told: string[] = [];
  const engine = createEngine({ tempDir: work.at('temp'), storageAttempts: 1 });
  const log = (level: LogLevel, text: string) => void (level === 'warn' && told.push(text));
  try {
    await engine.run(job, { reporter: { ...silentReporter, log }, signal: new AbortController().signal });
    return told;
  } finally {
    await engine.close(5000);
  }
}

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
  });

  it('brings back every object and row of every database', async () => {
    const before = new Map(['shop', 'other', ...ODD_NAMES].map((name) => [name, describeDatabase(server, name)]));
    const list = schemas();
    const result = await jobs.backup(source());
    expect(result).toMatchObject({ status: 'success', problems: [] });
    server.sql(
      'DROP VIEW shop.own; DELETE FROM shop.t WHERE id > 3; DROP PROCEDURE shop.p; DROP TRIGGER shop.trg; CREATE TABLE shop.more (i INT); DROP DATABASE `x y`',
    );
    const restored = await jobs.restore(source(), result, { options: { replaceExisting: true } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    for (const [name, text] of before) expect(describeDatabase(server, name), name).toBe(text);
    expect(schemas()).toBe(list);
    expect(leftInTemp()).toEqual([]);
  });

  it('changes nothing in a dry run', async () => {
    const result = await jobs.backup(shop());
    server.sql('INSERT INTO shop.parted VALUES (99, 99)');
    const [before, list] = [describeDatabase(server, 'shop'), schemas()];
    const running = runner.run({
      ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'databases', source: shop() },
      ...{ artifact: jobs.artifactOf(result), targetPath: null, paths: null, overwrite: 'always' },
      ...{ options: { replaceExisting: true }, dryRun: true },
    });
    if (mode === 'archive') await expect(running).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    else {
      expect(await running).toMatchObject({ status: 'success', itemsWritten: 5 });
      const twice = jobs.restore(shop(), result, { options: { rename: ['other=shop'] }, dryRun: true });
      await expect(twice).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
      expect(
        await foretold(jobs.restoreJob(shop(), result, { options: { replaceExisting: true }, dryRun: true })),
      ).toEqual([]);
    }
    expect([describeDatabase(server, 'shop'), schemas()]).toEqual([before, list]);
    server.sql('DELETE FROM shop.parted WHERE id = 99; CREATE TABLE shop.refers (id INT REFERENCES other.o (id))');
    if (mode === 'repository') {
      const warned = await foretold(
        jobs.restoreJob(shop(), result, { options: { replaceExisting: true }, dryRun: true }),
      );
      expect(warned).toEqual([expect.stringMatching(/"other" would stop: .*foreign keys of shop\.refers/)]);
    }
    server.sql('DROP TABLE shop.refers');
  });

  it('is proven, quickly and by restoring it', async () => {
    const result = await jobs.backup(source());
    for (const depth of ['quick', 'deep'] as const) {
      const checks = await verify(jobs, result, depth);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      const names = new Set(checks.filter(({ subject }) => subject === 'shop').map(({ name }) => name));
      expect([...names]).toEqual(
        depth === 'quick' ? ['structure', 'inventory'] : ['structure', 'inventory', 'restore', 'rows', 'engine'],
      );
    }
    expect(leftInTemp()).toEqual([]);
  });
});

async function verify(
  jobs: SourceJobs,
  result: Awaited<ReturnType<SourceJobs['backup']>>,
  depth: 'quick' | 'deep',
  change = (text: string) => text,
) {
  const folder = work.at(`files-${Math.random()}`);
  await jobs.restore(source(), result, { targetPath: folder });
  return await verifyFolder(mysqlSource, {
    ...{ folder, config: source().config, options: {}, depth, tempDir: work.at('temp-verify') },
    change: (bytes, file) =>
      file.endsWith('/shop/dump.sql') ? Buffer.from(change(bytes.toString('latin1')), 'latin1') : bytes,
  });
}

describe('a restore', () => {
  let jobs: SourceJobs;
  let result: Awaited<ReturnType<SourceJobs['backup']>>;
  let before: string;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, makeWorkFolderInside('restores'), 'archive');
    before = describeDatabase(server, 'shop');
    result = await jobs.backup(shop());
  });

  const expectUntouched = () => {
    expect(describeDatabase(server, 'shop')).toBe(before);
    expect(schemas()).not.toContain('backupx_');
  };

  it('makes copies under new names, whole ones', async () => {
    const rename = ['shop=shop2', 'other=x`y'];
    const restored = await jobs.restore(shop(), result, { options: { rename, definer: 'current' } });
    expect(restored.problems).toEqual([]);
    const copy = describeDatabase(server, 'shop2', 'shop');
    expect(copy.replaceAll('`x``y`', '`other`').replaceAll('127.0.0.1', 'localhost')).toBe(before);
    expect(
      server.sql('INSERT INTO shop2.aria VALUES (1); SELECT MAX(id) FROM shop2.aria; SELECT NEXTVAL(shop2.s) > 5'),
    ).toBe('101\n1\n');
    server.sql('DROP DATABASE shop2; DROP DATABASE `x``y`');
    expectUntouched();
  });

  it('stops before a database that is there', async () => {
    await expect(jobs.restore(shop(), result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expectUntouched();
  });

  it('stops before one that is in use, unless it may end the sessions', async () => {
    const session = spawn('mariadb', [
      '--no-defaults',
      '-S',
      server.socket,
      '-u',
      'root',
      'shop',
      '-e',
      'SELECT SLEEP(3600)',
    ]);
    const ended = new Promise((resolve) => session.once('close', resolve));
    const working =
      "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = 'shop' AND INFO LIKE 'SELECT SLEEP%'";
    await until('a session', () => server.sql(working) === '1\n');
    const options = { replaceExisting: true };
    await expect(jobs.restore(shop(), result, { options })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      params: { sessions: expect.stringContaining('root@localhost') },
    });
    expectUntouched();
    expect(session.exitCode).toBeNull();
    const entries = ['/mysql/shop/inventory.json', '/mysql/other/inventory.json'];
    const target = { rename: ['other=none_yet'] };
    const found = await runner.run({ kind: 'inspect_target', source: shop(), options: target, entries });
    const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const sleeper = { id: expect.stringMatching(/^\d+$/), user: 'root', address: 'localhost', program: 'Query', since };
    expect(found.databases).toEqual([
      { name: 'shop', exists: true, sizeBytes: expect.any(Number), sessions: [sleeper] },
      { name: 'none_yet', exists: false, sizeBytes: null, sessions: [] },
    ]);
    await jobs.restore(shop(), result, { options: { ...options, endSessions: true } });
    await ended;
    expectUntouched();
  });

  it('refuses what is damaged before it touches anything', async () => {
    const file = path.join(jobs.store, result.storagePath);
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 1;
    for (const bytes of [bad, good.subarray(0, good.length - 1000)]) {
      writeFileSync(file, bytes);
      await expect(jobs.restore(shop(), result, { options: { replaceExisting: true } })).rejects.toMatchObject({
        code: 'ARTIFACT_DAMAGED',
      });
      expectUntouched();
    }
    writeFileSync(file, good);
  });

  it('goes to another server, with its users', async () => {
    const other = await startMariadb();
    try {
      server.sql(
        `CREATE USER 'o''dd'@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO 'o''dd'@'127.0.0.1'`,
      );
      const all = await jobs.backup(shop());
      const options = { dbHost: '127.0.0.1', dbPort: other.port, restoreGrants: true };
      expect(await jobs.restore(shop(), all, { options })).toMatchObject({ status: 'success', problems: [] });
      expect(describeDatabase(other, 'shop')).toBe(before);
      const login = ['--no-defaults', '-h', '127.0.0.1', '-P', String(other.port), '-u', "o'dd", '-psecret', '-BNe'];
      expect(execFileSync('mariadb', [...login, 'SELECT COUNT(*) FROM shop.parted'], { encoding: 'utf8' })).toBe(
        '10\n',
      );
    } finally {
      await other.stop();
    }
  });

  it('puts no database in place of another that is the same to the server', async () => {
    const folding = await startMariadb({ settings: ['lower-case-table-names=1'] });
    try {
      server.sql('CREATE DATABASE Other; CREATE TABLE Other.i (i INT); INSERT INTO Other.i VALUES (1)');
      const both = await jobs.backup(source({ databases: ['other', 'Other'] }));
      const options = { dbHost: '127.0.0.1', dbPort: folding.port, replaceExisting: true };
      const refused = { code: 'RESTORE_TARGET_INVALID', params: { reason: 'two databases would get this name' } };
      await expect(jobs.restore(shop(), both, { options })).rejects.toMatchObject(refused);
      expect(folding.sql('SHOW DATABASES')).not.toMatch(/other|backupx/i);
      const apart = { ...options, rename: ['Other=upper'] };
      expect(await jobs.restore(shop(), both, { options: apart })).toMatchObject({ status: 'success', problems: [] });
      expect(folding.sql('SELECT COUNT(*) FROM other.o; SELECT COUNT(*) FROM upper.i')).toBe('2\n1\n');
      const one = await jobs.backup(source({ databases: ['Other'] }));
      const existing = jobs.restore(shop(), one, { options: { ...options, replaceExisting: false } });
      await expect(existing).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
      // To the one it comes from they are two.
      const same = await jobs.restore(shop(), both, { options: { replaceExisting: true } });
      expect(same).toMatchObject({ status: 'success', problems: [] });
    } finally {
      server.sql('DROP DATABASE IF EXISTS Other');
      await folding.stop();
    }
  });

  it('writes files when a folder is named, equal ones for equal data', async () => {
    const again = await jobs.backup(shop());
    for (const [index, one] of [result, again].entries()) {
      await jobs.restore(shop(), one, { targetPath: work.at(`plain-${index}`), overwrite: 'never' });
    }
    const read = (index: number, file: string) => readFileSync(work.at(`plain-${index}`, 'mysql', file), 'utf8');
    expect(read(1, 'shop/dump.sql')).toBe(read(0, 'shop/dump.sql'));
    expect(JSON.parse(read(0, 'shop/inventory.json')).details).toMatchObject({
      charset: 'utf8mb4',
      binlogFile: expect.stringMatching(/^bin\./),
      binlogPosition: expect.stringMatching(/^\d+$/),
      gtid: expect.stringMatching(/^0-7-\d+$/),
    });
    // Stock tools take the dump as it is.
    server.sql('CREATE DATABASE stock');
    execFileSync('sh', [
      '-c',
      `mariadb --no-defaults -S ${server.socket} -u root stock < ${work.at('plain-0/mysql/other/dump.sql')}`,
    ]);
    expect(server.sql('SELECT COUNT(*) FROM stock.o; DROP DATABASE stock')).toBe('2\n');
  });

  it('can be followed by the binary log up to a point in time', async () => {
    const { details } = JSON.parse(readFileSync(work.at('plain-0/mysql/shop/inventory.json'), 'utf8'));
    server.sql('CREATE DATABASE pit; CREATE TABLE pit.t (i INT)');
    const saved = await jobs.backup(source({ databases: ['pit'] }));
    server.sql('INSERT INTO t VALUES (1), (2)', 'pit');
    const [file = '', stop = ''] = server.sql('SHOW MASTER STATUS').split('\t');
    server.sql('DELETE FROM t', 'pit');
    await jobs.restore(source(), saved, { targetPath: work.at('pit') });
    const start = JSON.parse(readFileSync(work.at('pit/mysql/pit/inventory.json'), 'utf8')).details;
    expect(start.binlogFile).toBe(details.binlogFile);
    await jobs.restore(source(), saved, { options: { replaceExisting: true } });
    expect(server.sql('SELECT COUNT(*) FROM pit.t')).toBe('0\n');
    const log = path.join(server.folder, 'data', file);
    execFileSync('sh', [
      '-c',
      `mariadb-binlog --no-defaults --database=pit --start-position=${start.binlogPosition} --stop-position=${stop} ${log} | mariadb --no-defaults -S ${server.socket} -u root`,
    ]);
    expect(server.sql('SELECT COUNT(*) FROM pit.t; DROP DATABASE pit')).toBe('2\n');
  });
});

function makeWorkFolderInside(name: string) {
  return { ...work, at: (...parts: string[]) => work.at(`${name}-${parts.join('-')}`) };
}

describe('a swap that breaks', () => {
  async function begin() {
    const modules = '../../packages/engine/src/sources/mysql';
    const { MysqlConnection } = await import(`${modules}/connection.ts`);
    const place = await import(`${modules}/restore-place.ts`);
    const swaps = await import(`${modules}/swap-database.ts`);
    const { configSchema } = await import(`${modules}/settings.ts`);
    const options = { tempDir: work.at('temp-swap'), signal: new AbortController().signal };
    const connection = await MysqlConnection.open(configSchema.parse(source().config), options);
    const names = new place.RestoreNames();
    const journal = new place.Journal(connection, names);
    await journal.create();
    server.sql(
      `CREATE DATABASE ${names.scratch(0)}; CREATE TABLE ${names.scratch(0)}.t (new INT); CREATE TABLE ${names.scratch(0)}.added (i INT)`,
    );
    const statement = { verb: 'CREATE', object: 'VIEW', name: 'v', creates: 'view', isStandIn: false };
    const code = [{ statement, text: Buffer.from('CREATE VIEW v AS SELECT nothing FROM nowhere;\n') }];
    const rewrite = { names: new Map(), definer: 'keep', isProof: false };
    const swap = { index: 0, target: 'shop', charset: 'latin1', collation: 'latin1_bin', code, rewrite };
    const broken = swaps.swapDatabase({ connection, names, journal, dumper: await connection.findDumper() }, swap);
    await expect(broken).rejects.toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
    const drop = () => place.dropRestore(connection, names, { isDone: false });
    return { connection, names, journal, undoSwap: swaps.undoSwap, drop };
  }

  it('is undone, and can be undone twice', async () => {
    const before = describeDatabase(server, 'shop');
    const { connection, names, journal, undoSwap, drop } = await begin();
    await expect(drop()).rejects.toThrow();
    expect(server.sql('SHOW TABLES FROM shop')).toBe('added\nt\n');
    const entries = await journal.read();
    await undoSwap({ connection, names }, 0, entries.get(0));
    expect(describeDatabase(server, 'shop')).toBe(before);
    await undoSwap({ connection, names }, 0, entries.get(0));
    expect(describeDatabase(server, 'shop')).toBe(before);
    await drop();
    connection.close();
  });

  it('is undone by the next restore when its process is gone', async () => {
    const before = describeDatabase(server, 'shop');
    const { connection } = await begin();
    connection.close();
    const jobs = await createSourceJobs(runner, makeWorkFolderInside('swap'), 'archive');
    const result = await jobs.backup(source({ databases: ['other'] }));
    await jobs.restore(source(), result, { options: { rename: ['other=other2'] } });
    expect(describeDatabase(server, 'shop')).toBe(before);
    server.sql('DROP DATABASE other2');
    expect(schemas()).not.toContain('backupx_');
  });
});

describe('a verification', () => {
  it('finds what is missing, cut or changed', async () => {
    const jobs = await createSourceJobs(runner, makeWorkFolderInside('verify'), 'archive');
    const result = await jobs.backup(shop());
    const failures = async (depth: 'quick' | 'deep', change: (text: string) => string) =>
      (await verify(jobs, result, depth, change))
        .filter(({ ok }) => !ok)
        .map(({ subject, name, detail }) => `${subject} ${name}: ${detail}`);
    expect(await failures('quick', (text) => text.slice(0, text.length >> 1))).toEqual([
      'shop structure: The dump of shop cannot be restored: its end is missing',
    ]);
    expect(await failures('quick', (text) => text.replace(/CREATE TABLE `child`[^;]*;/, ''))).toEqual([
      'shop inventory: table child is missing',
    ]);
    expect(await failures('quick', (text) => text.replace('(1,1),\n', ''))).toEqual([
      expect.stringMatching(/^shop inventory: table \w+ has \d+ rows instead of \d+$/),
    ]);
    expect(await failures('deep', (text) => text.replace('CREATE TABLE `child`', 'CREATE TABEL `child`'))).toEqual([
      expect.stringMatching(/^shop structure: /),
    ]);
    expect(await failures('deep', (text) => text.replace('int(11)', 'int(11) foo'))).toEqual([
      expect.stringMatching(/^shop restore: mariadb failed: ERROR 1064/),
    ]);
    expect(
      await failures('quick', (text) =>
        text.replace('CREATE TABLE `child`', 'DROP DATABASE other; CREATE TABLE `child`'),
      ),
    ).toEqual(['shop structure: The dump of shop cannot be restored: it holds a statement DROP DATABASE']);
  });
});
