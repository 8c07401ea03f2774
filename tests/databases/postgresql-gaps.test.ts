/** Backups of PostgreSQL whose program ends well and that are not what they should be: left out, cut off, or warned of. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { postgresqlSource } from '../../packages/engine/src/sources/postgresql/postgresql-source.ts';
import { PASSWORD, type Postgresql, PROGRAMS, startPostgresql } from '../servers/postgresql.ts';
import { storedBelow, until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { restoreFolder } from '../support/restore-folder.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { withoutLast, wrapPrograms } from '../support/wrapped-programs.ts';
import { databaseNames } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-gaps');
const runner = createRunner(work.at('temp'));
const NAMES = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql', 'pg_basebackup'];
let server: Postgresql;
let jobs: SourceJobs;

beforeAll(async () => {
  server = await startPostgresql();
  server.sql('CREATE DATABASE shop');
  server.sql(
    `CREATE TABLE kept (id int PRIMARY KEY, v text); INSERT INTO kept SELECT g, md5(g::text) FROM generate_series(1, 2000) g;
     CREATE TABLE gone AS SELECT g AS id FROM generate_series(1, 9) g; CREATE VIEW seen AS SELECT id FROM kept;
     CREATE SCHEMA apart; CREATE FUNCTION apart.twice(i int) RETURNS int LANGUAGE sql AS 'SELECT i * 2';`,
    'shop',
  );
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

let folders = 0;
/** A folder of PostgreSQL's programs with one that a script stands for. */
function toolFolder(name: string, script: string): string {
  folders += 1;
  const real = Object.fromEntries(NAMES.map((program) => [program, path.join(PROGRAMS, program)]));
  return wrapPrograms(work.at('bin', String(folders)), { real, scripts: { [name]: script } });
}

const source = (folder: string, more: Record<string, unknown> = {}) => ({
  type: 'postgresql',
  config: {
    ...{ dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, databases: ['shop'], toolFolder: folder },
    ...more,
  },
});
const SLIPS = [
  ['a table', '--exclude-table=public.gone', ['table public.gone is missing']],
  ['rows', '--exclude-table-data=public.kept', ['the rows of table public.kept are missing']],
  ['a schema', '--exclude-schema=apart', ['function apart."twice(integer)" is missing', 'schema apart is missing']],
] as const;

describe.each(['custom', 'directory'])('a dump in the format %s that ends well', (format) => {
  const place = `/postgresql/shop/${format === 'custom' ? 'dump.pgc' : 'dump'}`;

  it.each(format === 'custom' ? SLIPS : SLIPS.slice(1, 2))(
    'without %s makes a warning that names it, and what it has comes back',
    async (what, argument, missing) => {
      const task = source(toolFolder('pg_dump', `exec "$real" "$@" ${argument}`), { format });
      const result = await jobs.backup(task);
      expect(result.status).toBe('warning');
      const told = result.problems.map(({ path: at, code, message }) => `${at} ${code} ${message}`).sort();
      expect(told).toEqual(missing.map((text) => `${place} unreadable ${text}`));
      const restored = await jobs.restore(task, result, { options: { rename: ['shop=copy'] } });
      expect(restored).toMatchObject({ status: 'success', problems: [] });
      expect(server.sql('SELECT count(*) FROM seen', 'copy').trim()).toBe(what === 'rows' ? '0' : '2000');
      server.sql('DROP DATABASE copy');
    },
  );

  it('and warned makes a warning with its words', async () => {
    const words = 'there are circular foreign-key constraints on this table:';
    const script = `echo "pg_dump: warning: ${words}" >&2; exec "$real" "$@"`;
    const result = await jobs.backup(source(toolFolder('pg_dump', script), { format }));
    const problems = [{ path: place, code: 'unsupported', message: words }];
    expect(result).toMatchObject({ status: 'warning', problems });
  });
});

describe('a dump that ends well and is cut off', () => {
  it.each([
    ['in its last bytes', withoutLast(1)],
    ['in its rows', withoutLast(20_000)],
    ['in its contents', '"$real" "$@" | head -c 500'],
  ])('%s fails the run', async (_, script) => {
    const before = stored();
    await expect(jobs.backup(source(toolFolder('pg_dump', script)))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
    });
    expect(stored()).toEqual(before);
  });

  it('in one of its files fails the run', async () => {
    const before = stored();
    // What is called `--file=…` is the folder.
    const cut = `for one; do case $one in --file=*) folder=\${one#--file=};; esac; done
"$real" "$@" || exit
file=$(ls -S "$folder"/*.dat | head -1); size=$(stat -c %s "$file"); truncate -s $((size - 1)) "$file"`;
    await expect(jobs.backup(source(toolFolder('pg_dump', cut), { format: 'directory' }))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
    });
    expect(stored()).toEqual(before);
  });

  it('of the globals fails the run, and their warnings are told', async () => {
    await expect(jobs.backup(source(toolFolder('pg_dumpall', withoutLast(20))))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
      params: { name: 'globals' },
    });
    const script = 'echo "pg_dumpall: warning: this is odd" >&2; exec "$real" "$@"';
    expect(await jobs.backup(source(toolFolder('pg_dumpall', script)))).toMatchObject({
      status: 'warning',
      problems: [{ path: '/postgresql/globals.sql', message: 'this is odd' }],
    });
  });
});

const physical = (script: string, more: Record<string, unknown> = {}) => ({
  type: 'postgresql-physical',
  config: {
    ...{ dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, checkpoint: 'fast' },
    toolFolder: toolFolder('pg_basebackup', script),
    ...more,
  },
});

describe('a base backup that ends well', () => {
  /** Runs the program into a file, which is changed before it is handed on: `$tar`, and what is in it in `$inside`. */
  const changed = (
    how: string,
  ) => `work=$(mktemp -d '${work.path}/base-XXXXXX'); tar=$work/base.tar; inside=$work/inside
"$real" "$@" > "$tar" || exit; mkdir "$inside"; tar -xf "$tar" -C "$inside"
${how}
cat "$tar"; rm -rf "$work"`;
  const packed = '(cd "$inside" && tar -cf "$tar" --exclude=backup_manifest . && tar -rf "$tar" backup_manifest)';

  it.each([
    ['lacks a file of its list', `rm "$inside/PG_VERSION"; ${packed}`, 'PG_VERSION is missing'],
    ['has a file with other bytes', `echo 99 > "$inside/PG_VERSION"; ${packed}`, 'PG_VERSION has another checksum'],
    ['lacks its list', `(cd "$inside" && tar -cf "$tar" --exclude=backup_manifest .)`, 'there is no backup_manifest'],
    ['is cut off', 'truncate -s -2000000 "$tar"', 'archive of pg_basebackup is damaged'],
  ])('and %s fails the run', async (_, how, reason) => {
    const before = stored();
    await expect(jobs.backup(physical(changed(how)))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
      params: { name: 'the server', reason: expect.stringContaining(reason) },
    });
    expect(stored()).toEqual(before);
  });

  it('and warned makes a warning with its words', async () => {
    const script = 'echo "pg_basebackup: warning: this is odd" >&2; exec "$real" "$@"';
    expect(await jobs.backup(physical(script))).toMatchObject({
      status: 'warning',
      problems: [{ path: '/postgresql-physical/data', code: 'unsupported', message: 'this is odd' }],
    });
  });
});

describe('a connection test', () => {
  const inspect = (task: { type: string; config: Record<string, unknown> }) =>
    runner.run({ kind: 'inspect_source', source: task });

  it('says which package brings pg_basebackup, as a backup does', async () => {
    const others = Object.fromEntries(NAMES.slice(0, -1).map((program) => [program, path.join(PROGRAMS, program)]));
    const task = physical('', { toolFolder: wrapPrograms(work.at('bin', 'others'), { real: others, scripts: {} }) });
    const missing = {
      code: 'DATABASE_TOOL_MISSING',
      params: { tool: 'pg_basebackup', package: 'postgresql-client-15' },
    };
    await expect(inspect(task)).rejects.toMatchObject(missing);
    await expect(jobs.backup(task)).rejects.toMatchObject(missing);
  });
  const broken = 'echo "cannot work here" >&2; exit 3';

  it('fails when the program that dumps does, which tells its version all the same', async () => {
    await expect(inspect(source(toolFolder('pg_dump', broken)))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_FAILED',
      message: expect.stringContaining('cannot work here'),
    });
    const { warnings } = await inspect(physical(broken));
    expect(warnings).toContainEqual(expect.stringMatching(/^A backup would fail: pg_basebackup .*cannot work here/));
  });

  it('tries the filters of a backup, in every database', async () => {
    server.sql('CREATE DATABASE other');
    const noted = work.at('args');
    const note = `echo "$*" >> '${noted}'; exec "$real" "$@"`;
    const folder = toolFolder('pg_dump', note);
    const tables = { tables: ['kept'], excludeTables: ['go*'], excludeTableData: ['kept'] };
    expect(await inspect(source(folder, tables))).toMatchObject({ tool: expect.stringContaining('pg_dump 15') });
    expect(readFileSync(noted, 'utf8')).toContain(
      '--table=kept --strict-names --exclude-table=go* --exclude-table-data=kept',
    );
    const lacking = inspect(source(folder, { ...tables, databases: ['shop', 'other'] }));
    await expect(lacking).rejects.toMatchObject({
      code: 'DATABASE_TOOL_FAILED',
      message: expect.stringContaining('no matching tables'),
    });
    server.sql('DROP DATABASE other');
  });

  it('tries the arguments of a base backup, copies no more than it must, and leaves none begun', async () => {
    const noted = work.at('physical-args');
    const begun = physical(`echo "$*" >> '${noted}'; exec "$real" "$@"`, { maxRateKilobytes: 32 });
    const fails = (await inspect(begun)).warnings.filter((text) => text.startsWith('A backup would fail'));
    expect(fails).toEqual([]);
    expect(readFileSync(noted, 'utf8')).toMatch(
      /--wal-method=fetch --checkpoint=fast .*--max-rate=32k .*--pgdata=-\n$/,
    );
    expect(findTools(work.path)).toEqual([]);
    const sending = "SELECT count(*) FROM pg_stat_replication WHERE state = 'backup'";
    await until('the end of the backup', () => server.sql(sending).trim() === '0');
  });
});

describe('a restore', () => {
  it('lists the extensions that the server lacks before it makes anything', async () => {
    server.sql('CREATE DATABASE extended');
    server.sql(
      `CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TABLE t (v citext);
       SET allow_system_table_mods = on; UPDATE pg_extension SET extname = 'not ' || extname WHERE extname IN ('citext', 'hstore')`,
      'extended',
    );
    const task = source('', { databases: ['extended'] });
    const result = await jobs.backup(task);
    expect(result.status).toBe('success');
    const before = databaseNames(server);
    await expect(jobs.restore(task, result, { options: { rename: ['extended=copy'] } })).rejects.toMatchObject({
      code: 'DATABASE_NOT_FOUND',
      params: { name: 'extension "not citext", "not hstore" (which the dump of "extended" needs)' },
    });
    expect(databaseNames(server)).toEqual(before);
    server.sql('DROP DATABASE extended');
  });

  it.each([true, false])('stops before another version, unless it is accepted (dry run: %s)', async (isDryRun) => {
    const task = source('');
    const folder = work.at(`versions-${isDryRun}`);
    const result = await jobs.backup(task);
    const looked = { artifact: jobs.artifactOf(result), path: '', search: 'inventory.json', offset: 0, limit: 10 };
    const page = await runner.run({ kind: 'browse_artifact', ...looked, source: task });
    expect(page.server).toMatch(/^PostgreSQL 15/);
    await jobs.restore(task, result, { targetPath: folder });
    // The head of a dump holds the version of the server, then that of pg_dump.
    const another = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace(/15\.(?=\d)/, '99.'), 'latin1');
    const restore = (file: string, options: object = {}) =>
      restoreFolder(postgresqlSource, {
        ...{ folder, isDryRun, config: task.config, tempDir: work.at('temp-versions') },
        options: { rename: ['shop=copy'], ...options },
        change: (bytes, path) => (path.endsWith(file) ? another(bytes) : bytes),
      });
    const before = databaseNames(server);
    if (isDryRun) {
      const stop = /^The restore of "shop" would stop: .*PostgreSQL 99.*PostgreSQL 15.*older/;
      expect(await restore('inventory.json')).toContainEqual(expect.stringMatching(stop));
    } else {
      for (const file of ['dump.pgc', 'inventory.json']) {
        await expect(restore(file)).rejects.toMatchObject({
          code: 'DATABASE_SERVER_OLDER',
          params: { saved: expect.stringMatching(/^PostgreSQL 99/), target: expect.stringMatching(/^PostgreSQL 15/) },
        });
      }
    }
    expect(databaseNames(server)).toEqual(before);
    expect(await restore('inventory.json', { acceptOtherVersion: true })).toContainEqual(
      expect.stringMatching(/^"shop" was dumped from PostgreSQL 99.* and goes to PostgreSQL 15.*older/),
    );
    if (!isDryRun) server.sql('DROP DATABASE copy');
  });
});
