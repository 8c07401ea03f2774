/** Dumps of MariaDB that end well and are not what they should be: programs that leave something out, stop early, or warn. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mysqlSource } from '../../packages/engine/src/sources/mysql/mysql-source.ts';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { makeCertificates } from '../servers/redis.ts';
import { storedBelow } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { restoreFolder } from '../support/restore-folder.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { verifyFolder } from '../support/verify-folder.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { replacing, withoutLast, wrapPrograms } from '../support/wrapped-programs.ts';
import { describeDatabase } from './mariadb-samples.ts';

const work = makeWorkFolder('mariadb-gaps');
const runner = createRunner(work.at('temp'));
let server: Mariadb;
let jobs: SourceJobs;
let certificates: ReturnType<typeof makeCertificates>;
const read = (file: string) => readFileSync(file, 'utf8');

beforeAll(async () => {
  certificates = makeCertificates(work.at('tls'));
  server = await startMariadb({ tls: { key: read(certificates.key), certificate: read(certificates.cert) } });
  server.sql(`CREATE DATABASE shop; USE shop;
    CREATE TABLE kept (id INT PRIMARY KEY, v CHAR(64)); INSERT INTO kept SELECT seq, SHA2(seq, 256) FROM seq_1_to_2000;
    CREATE TABLE gone (id INT) AS SELECT seq AS id FROM seq_1_to_9; CREATE VIEW seen AS SELECT id FROM kept;
    CREATE TRIGGER trg BEFORE INSERT ON kept FOR EACH ROW SET NEW.v = 'x';
    CREATE PROCEDURE p () SELECT 1; CREATE FUNCTION f () RETURNS INT DETERMINISTIC RETURN 1;
    CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM kept;`);
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

/** Nothing with a secret is left. */
afterEach(() => {
  expect(readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)))).toEqual([]);
});
const stored = () => storedBelow(jobs.store);

const pathOf = (name: string) => execFileSync('which', [name], { encoding: 'utf8' }).trim();

let folders = 0;
/** A folder with one program, which a script stands for. */
function toolFolder(program: string, script: string): string {
  folders += 1;
  const real = { [program]: pathOf(program) };
  return wrapPrograms(work.at('bin', String(folders)), { real, scripts: { [program]: script } });
}

const login = () => ({ dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root' });
/** A task whose dumps are made by a script. */
const source = (script: string, more: Record<string, unknown> = {}) => ({
  type: 'mysql',
  config: { ...login(), databases: ['shop'], toolFolder: toolFolder('mariadb-dump', script), ...more },
});

describe('a dump that ends well', () => {
  it('makes a warning that names all that it lacks, and what it has comes back', async () => {
    const kinds = ['triggers', 'routines', 'events'].map((kind) => replacing(`--${kind}`, `--skip-${kind}`));
    const tables = 'first=$1; shift; exec "$real" "$first" --ignore-table=shop.gone --ignore-table=shop.seen "$@"';
    const lossy = source([...kinds, tables].join('\n'));
    const result = await jobs.backup(lossy);
    expect(result.status).toBe('warning');
    const missing = ['event ev', 'function f', 'procedure p', 'table gone', 'trigger trg', 'view seen'];
    const told = result.problems.map(({ path: at, code, message }) => `${at} ${code} ${message}`).sort();
    expect(told).toEqual(missing.map((object) => `/mysql/shop unreadable ${object} is missing`));
    const restored = await jobs.restore(lossy, result, { options: { rename: ['shop=copy'] } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    const sums = server.sql('CHECKSUM TABLE shop.kept EXTENDED; CHECKSUM TABLE copy.kept EXTENDED; DROP DATABASE copy');
    const [before, after] = sums.split('\n').map((line) => line.split('\t')[1]);
    expect(after).toBe(before);
  });

  it.each([
    ['in its last line', 20],
    ['behind a statement', 200],
    ['in a row', 100_000],
  ])('and is cut off %s fails the run', async (_, bytes) => {
    const before = stored();
    await expect(jobs.backup(source(withoutLast(bytes)))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
    });
    expect(stored()).toEqual(before);
  });

  it('and warned makes a warning with its words; what is about the call is none', async () => {
    const words = "-- Warning: Couldn't get status information for table gone (no reason)";
    const aboutCall = 'WARNING: --master-data is deprecated and will be removed in a future version.';
    const script = (text: string) => `echo "${text}" >&2; exec "$real" "$@"`;
    expect(await jobs.backup(source(script(words)))).toMatchObject({
      status: 'warning',
      problems: [{ path: '/mysql/shop', code: 'unsupported', message: words }],
    });
    expect(await jobs.backup(source(script(aboutCall)))).toMatchObject({ status: 'success', problems: [] });
  });
});

/** Its name, and those of views in it, are ones that programs like to take for something else. */
const TORN = 'to`rn é.x';

describe.each(backupModes)('what no dump can have, in mode %s', (mode) => {
  const torn = '`to``rn é.x`';
  const task = (databases: string[] = []) => ({ type: 'mysql', config: { ...login(), databases } });
  const broken = ['-- x`y', 'a_first', 'no_column', 'no_function', 'no_table', 'ü.%'];
  const dataFolder = () => path.join(server.folder, 'data');
  let result: Awaited<ReturnType<SourceJobs['backup']>>;
  let own: SourceJobs;

  beforeAll(async () => {
    server.sql(`CREATE DATABASE ${torn} CHARACTER SET latin1; USE ${torn}; CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT);
      INSERT INTO t SELECT seq, seq, seq FROM seq_1_to_99; CREATE TABLE gone (i INT); CREATE FUNCTION g () RETURNS INT DETERMINISTIC RETURN 1;
      CREATE VIEW fine AS SELECT id FROM t; CREATE VIEW no_table AS SELECT * FROM gone; CREATE VIEW a_first AS SELECT * FROM no_table;
      CREATE VIEW no_column AS SELECT b FROM t; CREATE VIEW no_function AS SELECT g() AS x FROM t;
      CREATE VIEW \`-- x\`\`y\` AS SELECT 'it''s' AS c, i FROM gone; CREATE VIEW \`ü.%\` AS SELECT i FROM gone;
      CREATE USER ghost@localhost; CREATE DEFINER = ghost@localhost VIEW no_definer AS SELECT id FROM t;
      CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1; CREATE PROCEDURE p () SELECT * FROM no_table;
      CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM t; CREATE VIEW z_last AS SELECT id FROM fine;
      DROP TABLE gone; ALTER TABLE t DROP COLUMN b; DROP FUNCTION g; DROP USER ghost@localhost;
      CREATE DATABASE past; CREATE TABLE past.t (i INT) ENGINE=MyISAM; INSERT INTO past.t VALUES (1), (2); FLUSH TABLES;`);
    mkdirSync(path.join(dataFolder(), 'x-y'));
    mkdirSync(path.join(dataFolder(), 'lost+found'));
    for (const kind of ['frm', 'MYD', 'MYI']) {
      for (const to of ['past/a-b', 'x-y/t'])
        cpSync(path.join(dataFolder(), `past/t.${kind}`), path.join(dataFolder(), `${to}.${kind}`));
    }
    own = await createSourceJobs(runner, work, mode);
    result = await own.backup(task());
  });
  afterAll(() => {
    for (const folder of ['x-y', 'lost+found']) rmSync(path.join(dataFolder(), folder), { recursive: true });
    server.sql(`DROP DATABASE ${torn}; DROP DATABASE past`);
  });

  /** All but those views. */
  const rest = (name: string) =>
    describeDatabase(server, name, 'x')
      .split('\n')
      .filter((line) => !broken.includes(line.split('\t')[0] ?? ''))
      .join('\n');

  // The mode changes nothing of that.
  if (mode === 'archive') {
    it('is all in a copy of the files, and no fault of it', async () => {
      const whole = physical('exec "$real" "$@"');
      const copy = await own.backup(whole);
      expect(copy).toMatchObject({ status: 'success', problems: [] });
      const artifact = own.artifactOf(copy);
      const { checks } = await runner.run({ kind: 'verify_artifact', source: whole, mode: 'deep', artifact });
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.find(({ name }) => name === 'engine')?.detail).toMatch(/; [67] views refer to what is not there$/);
    });
  }

  it('is told as gaps of the run; the rest is saved, and comes back in its place and beside it', async () => {
    expect(result.status).toBe('warning');
    const told = result.problems.map(
      ({ path: at, code, message }) => `${at} ${code} ${message.split(/ is missing: | among /)[0]}`,
    );
    expect(told.sort()).toEqual(
      [
        '/mysql unreadable the folder x-y',
        '/mysql/past unreadable table #mysql50#a-b',
        ...broken.map((name) => `/mysql/${TORN} unreadable view ${name}`),
      ].sort(),
    );
    expect(result.problems).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining(`gone' doesn't exist`) }),
    );
    const before = rest(TORN);
    const problems = [{ code: 'metadata', message: expect.stringContaining('ghost@localhost') }];
    const paths = [`/mysql/${TORN}`, '/mysql/past'];
    const options = { replaceExisting: true, rename: ['past=past2'] };
    expect(await own.restore(task(), result, { options, paths })).toMatchObject({ problems });
    expect(rest(TORN)).toBe(before);
    expect(server.sql('SELECT COUNT(*) FROM past2.t; DROP DATABASE past2')).toBe('2\n');
    expect(server.sql(`SHOW TABLES FROM ${torn}`)).toBe('fine\nno_definer\nt\nz_last\n');
    const aside = { rename: [`${TORN}=x`], definer: 'current' };
    expect(await own.restore(task(), result, { options: aside, paths: paths.slice(0, 1) })).toMatchObject({
      problems: [],
    });
    const copy = rest('x')
      .replaceAll(/DEFINER=`(root|ghost)`@`[\w.]+`/g, 'DEFINER')
      .replaceAll('root@127.0.0.1', 'root@localhost');
    expect(copy).toBe(before.replaceAll(/DEFINER=`(root|ghost)`@`[\w.]+`/g, 'DEFINER'));
    server.sql('DROP DATABASE x');
    const past = { options: { replaceExisting: true }, paths: ['/mysql/past'] };
    const refused = { code: 'RESTORE_TARGET_INVALID', params: { reason: expect.stringContaining('#mysql50#a-b') } };
    await expect(own.restore(task(), result, past)).rejects.toMatchObject(refused);
  });

  it('is no fault of the backup to a verification, and has its definition in it', async () => {
    const folder = work.at(`torn-${mode}`);
    await own.restore(task(), result, { targetPath: folder });
    for (const depth of mode === 'archive' ? (['quick', 'deep'] as const) : (['quick'] as const)) {
      const checks = await verifyFolder(mysqlSource, {
        folder,
        config: task().config,
        options: {},
        depth,
        tempDir: work.at('temp-torn'),
      });
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      const { detail = '' } = checks.find(({ subject, name }) => subject === TORN && name === 'inventory') ?? {};
      expect(detail).toContain('view no_table is missing: it cannot be opened');
    }
    const { leftOut } = JSON.parse(read(path.join(folder, 'mysql', TORN, 'inventory.json')));
    expect(leftOut).toContainEqual({
      ...{ kind: 'view', name: '-- x`y', reason: expect.stringContaining('gone') },
      definition: expect.stringMatching(/^CREATE .* VIEW .*'it\\'s' AS `c`/),
    });
  });

  it('stays a failure where the program cannot tell it from what it can have', async () => {
    server.sql(
      `USE ${torn}; CREATE TABLE soon (i INT); CREATE VIEW again AS SELECT * FROM soon; DROP TABLE soon; CREATE TABLE Again (i INT)`,
    );
    const failed = { code: 'DATABASE_TOOL_FAILED', message: expect.stringContaining('again') };
    await expect(own.backup(task([TORN]))).rejects.toMatchObject(failed);
  });
});

const physical = (script: string, more: Record<string, unknown> = {}) => ({
  type: 'mysql-physical',
  config: { ...login(), toolFolder: toolFolder('mariadb-backup', script), ...more },
});

describe('a copy of the files that ends well', () => {
  it('without a table makes a warning that names it and its files, and is none of the table', async () => {
    const name = '`odd = ü`';
    server.sql(`CREATE TABLE shop.${name} (i INT) PARTITION BY HASH (i) PARTITIONS 2`);
    const lossy = physical(`exec "$real" "$@" --tables-exclude='^shop[.](gone|odd)'`);
    const result = await jobs.backup(lossy);
    expect(result.status).toBe('warning');
    const odd = 'odd@0020@003d@0020@1o';
    expect(result.problems.map(({ path: at, message }) => `${at}: ${message}`).sort()).toEqual([
      `/mysql-physical/data: shop.gone is missing: the copy has no shop/gone.frm, shop/gone.ibd`,
      `/mysql-physical/data: shop.odd = ü is missing: the copy has no shop/${odd}.frm, shop/${odd}#P#p0.ibd, shop/${odd}#P#p1.ibd`,
    ]);
    const folder = work.at('physical');
    await jobs.restore(lossy, result, { targetPath: folder });
    const { objects } = JSON.parse(read(path.join(folder, 'mysql-physical/inventory.json')));
    const tables = objects.filter(({ kind }: { kind: string }) => kind === 'table');
    expect(tables.map((table: { name: string }) => table.name)).toEqual(['shop.kept']);
    expect(await jobs.backup(physical('exec "$real" "$@"'))).toMatchObject({ status: 'success', problems: [] });
    server.sql(`DROP TABLE shop.${name}`);
  });

  it('and warned makes a warning with its words, however much came behind; what is not of the data is none', async () => {
    const words = 'Warning: junk at the end of ./shop/t.ibd, offset = 16384, to_read = 12';
    const aboutCall = "Warning: option 'datadir' has different values:";
    const lines = 'seq -f "[01] 2026-05-01 12:00:00 Streaming ./shop/t%g.ibd to <STDOUT>" 999 >&2';
    const script = (text: string) => `echo "[01] 2026-05-01 12:00:00 ${text}" >&2; ${lines}; exec "$real" "$@"`;
    expect(await jobs.backup(physical(script(words)))).toMatchObject({
      status: 'warning',
      problems: [{ path: '/mysql-physical/data', code: 'unsupported', message: words }],
    });
    expect(await jobs.backup(physical(script(aboutCall)))).toMatchObject({ status: 'success', problems: [] });
  });
});

describe('a connection test', () => {
  const inspect = (task: { type: string; config: Record<string, unknown> }) =>
    runner.run({ kind: 'inspect_source', source: task });
  const broken = 'echo "cannot work here" >&2; exit 3';

  it('fails when the program that dumps or copies does, which tells its version all the same', async () => {
    const failed = { code: 'DATABASE_TOOL_FAILED', message: expect.stringContaining('cannot work here') };
    await expect(inspect(source(broken))).rejects.toMatchObject(failed);
    await expect(inspect(physical(broken))).rejects.toMatchObject(failed);
    await expect(inspect(physical('exit 0'))).rejects.toMatchObject({ code: 'DATABASE_TOOL_FAILED' });
  });

  it('tries the arguments of a backup, and copies no more than it must', async () => {
    const args = work.at('args');
    const note = `echo "$*" >> '${args}'; exec "$real" "$@"`;
    await inspect(source(note));
    expect(read(args)).toMatch(/--single-transaction .*--master-data=2 -- shop\n$/);
    expect(await inspect(physical(note))).toMatchObject({ warnings: [] });
    expect(read(args)).toMatch(/--backup --stream=mbstream .*\n$/);
    expect(findTools(work.path)).toEqual([]);
  });

  it('finds a view that cannot be dumped, and a right that is missing', async () => {
    server.sql('CREATE DATABASE odd; CREATE TABLE odd.t (i INT); CREATE VIEW odd.v AS SELECT * FROM odd.t');
    server.sql(`CREATE USER half@'127.0.0.1'; GRANT SELECT ON *.* TO half@'127.0.0.1'`);
    const task = (dbUser: string) => ({ type: 'mysql', config: { ...login(), dbUser, databases: ['odd'] } });
    expect((await inspect(task('half'))).warnings).toContainEqual(
      expect.stringMatching(/^A backup would fail: "half"/),
    );
    server.sql('DROP TABLE odd.t');
    expect((await inspect(task('root'))).warnings).toContainEqual(
      expect.stringMatching(/^odd: view v is missing: it cannot be opened \(Table 'odd\.t' doesn't exist\)/),
    );
    server.sql('DROP DATABASE odd');
  });
});

describe('a certificate that is not trusted', () => {
  /** Answers the reason that is told. */
  async function reasonOf(config: Record<string, unknown>): Promise<unknown> {
    const place = { ...login(), dbHost: 'localhost', tlsMode: 'verify-full', tlsCa: read(certificates.ca), ...config };
    const [ended] = await Promise.allSettled([
      runner.run({ kind: 'inspect_source', source: { type: 'mysql', config: place } }),
    ]);
    if (ended.status === 'fulfilled') return 'it is trusted';
    expect(ended.reason).toMatchObject({ code: 'DATABASE_TLS' });
    return ended.reason.params.reason;
  }

  it('is told with what is wrong with it', async () => {
    expect(await reasonOf({})).toBe('it is trusted');
    expect(await reasonOf({ dbHost: '127.0.0.1' })).toBe('the name in the certificate is another one');
    const unknown = 'the certificate is signed by an authority that is not trusted here';
    expect(await reasonOf({ tlsCa: read(certificates.otherCa) })).toBe(unknown);
    expect(await reasonOf({ tlsCa: '' })).toBe(unknown);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: work.at('tls'), stdio: 'pipe' });
    const request = ['-in', 'server.csr', '-extfile', 'names', '-out', 'next.pem'];
    const serve = () => {
      writeFileSync(path.join(server.folder, 'tls/cert.pem'), read(work.at('tls', 'next.pem')));
      server.sql('FLUSH SSL');
    };
    openssl('x509', '-req', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '-1', ...request);
    serve();
    expect(await reasonOf({})).toBe('the certificate has expired');
    openssl('x509', '-req', '-signkey', 'server.key', '-days', '2', ...request);
    serve();
    expect(await reasonOf({})).toBe('the certificate is signed by itself');
  });
});

describe('a restore', () => {
  it.each([true, false])('stops before another version, unless it is accepted (dry run: %s)', async (isDryRun) => {
    const task = source('exec "$real" "$@"');
    const folder = work.at(`versions-${isDryRun}`);
    const result = await jobs.backup(task);
    const looked = { artifact: jobs.artifactOf(result), path: '', search: 'inventory.json', offset: 0, limit: 10 };
    const page = await runner.run({ kind: 'browse_artifact', ...looked, source: task });
    expect(page.server).toMatch(/^MariaDB 1/);
    await jobs.restore(task, result, { targetPath: folder });
    const another = (bytes: Buffer) =>
      Buffer.from(bytes.toString('latin1').replace(/(?<=MariaDB |Server version\t)1\d/, '99'), 'latin1');
    const restore = (file: string, options: object = {}) =>
      restoreFolder(mysqlSource, {
        ...{ folder, isDryRun, config: task.config, tempDir: work.at('temp-versions') },
        options: { rename: ['shop=copy'], ...options },
        change: (bytes, path) => (path.endsWith(file) ? another(bytes) : bytes),
      });
    const before = server.sql('SHOW DATABASES');
    if (isDryRun) {
      const stop = /^The restore of "shop" would stop: .*MariaDB 99.*MariaDB 1.*older/;
      expect(await restore('inventory.json')).toContainEqual(expect.stringMatching(stop));
    } else {
      for (const file of ['dump.sql', 'inventory.json']) {
        await expect(restore(file)).rejects.toMatchObject({
          code: 'DATABASE_SERVER_OLDER',
          params: { saved: expect.stringMatching(/^MariaDB 99/), target: expect.stringMatching(/^MariaDB 1/) },
        });
      }
    }
    expect(server.sql('SHOW DATABASES')).toBe(before);
    expect(await restore('inventory.json', { acceptOtherVersion: true })).toContainEqual(
      expect.stringMatching(/^"shop" was dumped from MariaDB 99.* and goes to MariaDB 1.*older/),
    );
    if (!isDryRun) server.sql('DROP DATABASE copy');
  });
});
