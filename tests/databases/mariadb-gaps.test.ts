/** Dumps of MariaDB that end well and are not what they should be: programs that leave something out, stop early, or warn. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mysqlSource } from '../../packages/engine/src/sources/mysql/mysql-source.ts';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { makeCertificates } from '../servers/redis.ts';
import { storedBelow } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { restoreFolder } from '../support/restore-folder.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { replacing, withoutLast, wrapPrograms } from '../support/wrapped-programs.ts';

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
    await expect(inspect(task('root'))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_FAILED',
      message: expect.stringContaining('1356'),
    });
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
