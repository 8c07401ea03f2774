/** Restores to other names and servers, of parts, with and without owners; verification and inspection. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RestoreContext } from '../../packages/engine/src/ports/source.ts';
import { PsqlSession } from '../../packages/engine/src/sources/postgresql/psql-session.ts';
import { readDatabases } from '../../packages/engine/src/sources/postgresql/read-databases.ts';
import { RestoreRoles } from '../../packages/engine/src/sources/postgresql/restore-roles.ts';
import { Server } from '../../packages/engine/src/sources/postgresql/server.ts';
import { configSchema } from '../../packages/engine/src/sources/postgresql/settings.ts';
import { openVerifier } from '../../packages/engine/src/sources/postgresql/verify-dumps.ts';
import { newerPrograms, PASSWORD, type Postgresql, PROGRAMS, startPostgresql } from '../servers/postgresql.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { databaseNames, describeDatabase, makeShop } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-restore');
const runner = createRunner(work.at('temp'));
const newerServer = await newerPrograms();
let server: Postgresql;
let jobs: SourceJobs;
let saved: RunBackupResult;
let original: string;

beforeAll(async () => {
  server = await startPostgresql();
  makeShop(server);
  original = describeDatabase(server, 'shop');
  jobs = await createSourceJobs(runner, work, 'archive');
  saved = await jobs.backup(source());
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const at = (place: Postgresql) => ({ dbHost: '127.0.0.1', dbPort: place.port, dbPassword: PASSWORD });
const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql',
  config: { ...at(server), databases: ['shop'], ...more },
});
const restore = (options: Record<string, unknown>) => jobs.restore(source(), saved, { options });
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );
const leftovers = (place = server) => databaseNames(place).filter((name) => name.startsWith('backupx'));

const OTHER = '/postgresql/other/inventory.json';
const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const sleeper = { id: expect.stringMatching(/^\d+$/), user: 'postgres', address: '', program: 'sleeper', since };
const lookAt = (options: Record<string, unknown>, entries: string[]) =>
  runner.run({ kind: 'inspect_target', source: source(), options, entries });

describe('in the way', () => {
  it('does not replace a database unless it may', async () => {
    expect(await failure(restore({}))).toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(leftovers()).toEqual([]);
  });

  it('lists the sessions of a database in use, and ends them only when asked', async () => {
    const session = await beginSleep(server);
    try {
      const error = await failure(restore({ replaceExisting: true }));
      expect([error.code, error.message]).toEqual(['DATABASE_IN_USE', expect.stringContaining('sleeper')]);
      expect(leftovers()).toEqual([]);
      const found = await lookAt({ rename: ['other=none_yet'] }, ['/postgresql/shop/inventory.json', OTHER]);
      expect(found.databases).toEqual([
        { name: 'shop', exists: true, sizeBytes: expect.any(Number), sessions: [sleeper] },
        { name: 'none_yet', exists: false, sizeBytes: null, sessions: [] },
      ]);
      const part = await lookAt({ tables: ['sales.orders'] }, ['/postgresql/shop/inventory.json']);
      expect(part.databases).toMatchObject([{ name: 'shop', exists: true, sessions: [] }]);
      await restore({ replaceExisting: true, endSessions: true });
      expect(describeDatabase(server, 'shop')).toBe(original);
    } finally {
      session.kill();
    }
  });
});

describe('elsewhere', () => {
  it('goes under another name, several jobs at once or in one transaction', async () => {
    await restore({ rename: ['shop=copy_of_it'], parallelJobs: 2 });
    expect(describeDatabase(server, 'copy_of_it').replaceAll('copy_of_it', 'shop')).toBe(original);
    await restore({ rename: ['shop=x "y" \''], singleTransaction: true });
    expect(databaseNames(server)).toContain('x "y" \'');
    server.sql('DROP DATABASE copy_of_it');
    server.sql(`DROP DATABASE "x ""y"" '"`);
  });

  it('lists missing roles before it begins, creates them when asked, or does without', async () => {
    const other = await startPostgresql();
    try {
      const there = { ...at(other) };
      const error = await failure(restore(there));
      expect([error.code, error.message]).toEqual([
        'DATABASE_NOT_FOUND',
        expect.stringMatching(/"Shop Owner".*"reader"/),
      ]);
      expect(databaseNames(other)).toEqual(['postgres', 'template0', 'template1']);
      const bare = await restore({ ...there, owners: 'ignore', privileges: 'ignore', rename: ['shop=plain'] });
      expect(bare.problems.map(({ message }) => message)).toEqual([expect.stringContaining('own_only')]);
      expect(other.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'plain'").trim()).toBe(
        'postgres',
      );
      // Another restore makes one of them in this very moment, and was begun in another database.
      other.sql('CREATE DATABASE meeting');
      const place = await Server.open(configSchema.parse(there), work.at('temp'), new AbortController().signal);
      const holder = await PsqlSession.open(place, 'postgres', new AbortController().signal);
      await holder.run(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('backupx roles of restores')) \\g /dev/null
        CREATE ROLE "Shop Owner" NOLOGIN;
        COMMENT ON ROLE "Shop Owner" IS 'BackupX: made for a restore, without its password';`);
      const running = restore({ ...there, maintenanceDatabase: 'meeting', restoreGlobals: true });
      const waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
      const waits = until('a restore that waits', () => other.sql(waiting).trim() === '1');
      await Promise.race([waits, running.then(() => expect.fail('it did not wait'))]);
      await holder.run('COMMIT;');
      await holder.close();
      place.close();
      const result = await running;
      expect(result).toMatchObject({ status: 'success', problems: [] });
      other.sql('DROP DATABASE meeting');
      expect(describeDatabase(other, 'shop')).toBe(original);
      const login = "host='127.0.0.1' user='Shop Owner' dbname=shop port=";
      const hello = execFileSync(`${PROGRAMS}/psql`, ['-XAt', '-d', login + other.port, '-c', 'SELECT 1'], {
        env: { PGPASSWORD: 'geheim' },
        encoding: 'utf8',
      });
      expect(hello.trim()).toBe('1');
      expect(other.sql("SELECT count(*) FROM pg_roles WHERE shobj_description(oid, 'pg_authid') <> ''").trim()).toBe(
        '0',
      );
      expect(leftovers(other)).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  it('drops the roles it made when it fails, but none that another restore has taken over', async () => {
    const signal = new AbortController().signal;
    const place = await Server.open(configSchema.parse(source().config), work.at('temp'), signal);
    const problems: unknown[] = [];
    const context = { options: { restoreGlobals: true }, log() {}, problem: (one: unknown) => problems.push(one) };
    const open = () => PsqlSession.open(place, 'postgres', signal);
    const begin = () => new RestoreRoles(context as unknown as RestoreContext, open);
    const [first, second, session] = [begin(), begin(), await open()];
    try {
      const about = { server: 'here', database: 'shop' };
      const shared = `it's "shared" \\`;
      await first.prepare(session, [shared, 'first_only'], about);
      await second.prepare(session, [shared, 'second_only'], about);
      await first.rollback(open);
      const present = () =>
        server.sql("SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname ~ 'shared|_only'");
      const mine = ([, comment = '']: string[]) => comment.startsWith('BackupX: made for a restore');
      const found = () =>
        present()
          .trimEnd()
          .split('\n')
          .map((line) => line.split('|'));
      expect(
        found()
          .map(([role]) => role)
          .sort(),
      ).toEqual([shared, 'second_only']);
      expect(found().every(mine)).toBe(true);
      await second.rollback(open);
      // What it has taken over may be in use.
      expect(present()).toContain('shared');
      expect(present()).not.toContain('second_only');
      const third = begin();
      await third.prepare(session, [shared], about);
      await third.finish();
      expect([present(), problems]).toEqual([`${shared}|\n`, []]);
    } finally {
      await session.close();
      place.close();
      server.sql(`DROP ROLE "it's ""shared"" \\"`);
    }
  });

  it.skipIf(newerServer === null)('does not go into a server that is newer than every program here', async () => {
    const newer = await startPostgresql({ programs: newerServer ?? '' });
    try {
      const error = await failure(restore({ ...at(newer), restoreGlobals: true }));
      expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISMATCH', params: { package: 'postgresql-client-18' } });
      expect(databaseNames(newer)).toEqual(['postgres', 'template0', 'template1']);
    } finally {
      await newer.stop();
    }
  });

  it('goes into files that stock programs read', async () => {
    const folder = work.at('files');
    await jobs.restore(source(), saved, { targetPath: folder });
    const dump = path.join(folder, 'postgresql/shop/dump.pgc');
    const list = execFileSync(`${PROGRAMS}/pg_restore`, ['-l', dump], { encoding: 'utf8' });
    expect(list).toContain('TABLE DATA sales orders');
    expect(readFileSync(path.join(folder, 'postgresql/globals.sql'), 'utf8')).toContain('CREATE ROLE "Shop Owner"');
    expect(
      JSON.parse(readFileSync(path.join(folder, 'postgresql/shop/inventory.json'), 'utf8')).objects,
    ).toContainEqual({ kind: 'table', name: 'sales.orders', rows: 5000 });
    expect(readdirSync(path.join(folder, 'postgresql/shop'))).toEqual(['dump.pgc', 'inventory.json']);
    const again = failure(jobs.restore(source(), saved, { targetPath: folder, overwrite: 'never' }));
    expect((await again).code).toBe('RESTORE_NOTHING_WRITTEN');
  });
});

it('comes back with stock programs alone, as the documentation says', async () => {
  const archive = path.join(jobs.store, saved.storagePath);
  const run = (command: string) =>
    execFileSync('sh', ['-c', command], { encoding: 'utf8', env: { PATH: process.env.PATH, PGPASSWORD: PASSWORD } });
  server.sql('CREATE DATABASE stock');
  const conninfo = `host=127.0.0.1 port=${server.port} user=postgres dbname=stock`;
  const extract = `zstd -dc '${archive}' | tar -xOf - postgresql/shop/dump.pgc`;
  run(`${extract} | ${PROGRAMS}/pg_restore --exit-on-error --dbname='${conninfo}'`);
  expect(server.sql('SELECT count(*) FROM sales.orders', 'stock').trim()).toBe('5000');
  server.sql('DROP DATABASE stock');
});

describe('a part', () => {
  it('puts a table with all that hangs on it back into its database', async () => {
    expect(await failure(restore({ tables: ['sales.orders'] }))).toMatchObject({ code: 'DATABASE_EXISTS' });
    server.sql(
      'DELETE FROM sales.orders; UPDATE sales.customers SET name = \'kept\'; DROP TABLE "Odd Schema"."x.y z"',
      'shop',
    );
    await restore({ tables: ['Odd Schema.x.y z'] });
    expect(server.sql('SELECT count(*) FROM "Odd Schema"."x.y z"', 'shop').trim()).toBe('3');
    expect(server.sql('SELECT count(*) FROM sales.orders', 'shop').trim()).toBe('0');
    const error = await failure(restore({ tables: ['sales.orders'], replaceExisting: true }));
    expect(error.message).toContain('depend');
    server.sql(
      'DROP VIEW sales.big; DROP MATERIALIZED VIEW sales.sums; ALTER PUBLICATION everything DROP TABLE sales.orders',
      'shop',
    );
    const result = await restore({ tables: ['sales.orders'], replaceExisting: true });
    expect(result.problems.map(({ message }) => message)).toEqual([expect.stringContaining('fk constraint')]);
    expect(server.sql('SELECT count(*) FROM sales.orders', 'shop').trim()).toBe('5000');
    expect(server.sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'", 'shop').trim()).toBe('4');
    expect(server.sql('SELECT DISTINCT name FROM sales.customers', 'shop').trim()).toBe('kept');
    expect(leftovers()).toEqual([]);
  });

  it('makes a database of one schema, and names what is not there', async () => {
    await restore({ schemas: ['sales'], rename: ['shop=part'] });
    expect(server.sql('SELECT count(*) FROM sales.orders', 'part').trim()).toBe('5000');
    expect(server.sql("SELECT to_regclass('public.events') IS NULL", 'part').trim()).toBe('t');
    server.sql('DROP DATABASE part');
    expect((await failure(restore({ tables: ['sales.nothing'], rename: ['shop=part'] }))).message).toContain(
      '"sales.nothing"',
    );
  });
});

describe('a socket', () => {
  it('is reached with a password', async () => {
    expect(await jobs.backup(source({ dbHost: server.folder }))).toMatchObject({ status: 'success' });
  });

  it.skipIf(process.getuid?.() !== 0)('lets in a user of the machine by name (needs root)', async () => {
    const rules = path.join(server.folder, 'data/pg_hba.conf');
    writeFileSync(rules, `local all nobody peer\n${readFileSync(rules, 'utf8')}`);
    chmodSync(server.folder, 0o755);
    server.sql('CREATE ROLE nobody LOGIN; GRANT pg_read_all_data TO nobody; SELECT pg_reload_conf() \\g /dev/null');
    const login = { dbHost: server.folder, dbUser: 'nobody', dbPassword: '', databases: ['postgres'] };
    expect((await failure(jobs.backup(source(login)))).code).toBe('DATABASE_AUTH');
    expect(await jobs.backup(source({ ...login, systemUser: 'nobody' }))).toMatchObject({ status: 'success' });
    server.sql('DROP ROLE nobody');
  });
});

describe('filters of a backup', () => {
  it('leaves out what it is told to', async () => {
    const filters = { excludeSchemas: ['Odd*'], excludeTables: ['public.events*'], excludeTableData: ['sales.orders'] };
    const result = await jobs.backup(source(filters));
    expect(result).toMatchObject({ status: 'success' });
    await jobs.restore(source(), result, { options: { rename: ['shop=less'] } });
    expect(server.sql('SELECT count(*) FROM sales.orders', 'less').trim()).toBe('0');
    expect(server.sql("SELECT to_regclass('public.events') IS NULL", 'less').trim()).toBe('t');
    server.sql('DROP DATABASE less');
    expect((await failure(jobs.backup(source({ tables: ['sales.slip'] })))).message).toContain('sales.slip');
  });
});

describe('verification', () => {
  async function verify(depth: 'quick' | 'deep', change: (name: string, bytes: Buffer) => Buffer, options = {}) {
    const context = { signal: new AbortController().signal, tempDir: work.at('temp'), log() {} };
    const config = configSchema.parse(source().config);
    const verifier = await openVerifier(config, { ...context, depth, options });
    try {
      for await (const entry of readDatabases(config, { ...context, problem() {} })) {
        const content = entry.content?.kind === 'stream' ? entry.content.stream : null;
        const chunks: Uint8Array[] = [];
        for await (const chunk of content ?? []) chunks.push(Uint8Array.from(chunk));
        const bytes = change(Buffer.from(entry.path).toString(), Buffer.concat(chunks));
        await verifier.write({
          ...entry,
          sizeBytes: bytes.byteLength,
          segments: null,
          content:
            content &&
            (async function* () {
              yield bytes;
            })(),
        });
      }
      return await verifier.finish();
    } finally {
      await verifier.close();
    }
  }
  const same = (_: string, bytes: Buffer) => bytes;
  const cut = (name: string, bytes: Buffer) =>
    name.endsWith('.pgc') ? bytes.subarray(0, bytes.byteLength - 1) : bytes;
  const less = (name: string, bytes: Buffer) =>
    name.endsWith('.json') ? Buffer.from(bytes.toString().replace('"rows": 200', '"rows": 201')) : bytes;

  it('quickly proves the structure', async () => {
    const checks = await verify('quick', same);
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['structure', true],
      ['structure', true],
      ['inventory', true],
    ]);
    expect((await verify('quick', cut)).find(({ ok }) => !ok)).toMatchObject({ subject: 'shop', name: 'structure' });
    expect((await verify('quick', less)).find(({ ok }) => !ok)).toMatchObject({ name: 'inventory' });
  });

  it('deeply restores into a server of its own, which is gone afterwards', async () => {
    const checks = await verify('deep', same);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(new Set(checks.map(({ name }) => name))).toEqual(
      new Set(['structure', 'restore', 'inventory', 'rows', 'engine']),
    );
    const left = [work.at('temp'), tmpdir()].flatMap((folder) => readdirSync(folder));
    // Those of test files that run beside this one are not ours.
    expect(left.filter((name) => name.startsWith(`backupx-verify-${process.pid}.`))).toEqual([]);
    expect((await verify('deep', cut)).find(({ ok }) => !ok)).toMatchObject({ subject: 'shop', name: 'structure' });
  });

  it('deeply restores into a server that is named', async () => {
    const checks = await verify('deep', same, { ...at(server), dbUser: 'postgres' });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(leftovers()).toEqual([]);
  });
});

describe('inspection', () => {
  const inspect = (more = {}) => runner.run({ kind: 'inspect_source', source: source(more) });

  it('lists databases and finds nothing amiss', async () => {
    const found = await inspect({ databases: [] });
    expect(found.server).toMatch(/^PostgreSQL 15\./);
    expect(found.tool).toContain('pg_dump 15.');
    expect(found.databases.map(({ name }) => name)).toEqual(['postgres', 'shop']);
    expect(found.warnings).toEqual([]);
  });

  it('tells what a login may not read, and its statements mend that', async () => {
    const { readOnlyUserSql } = await inspect();
    server.sql(readOnlyUserSql ?? '');
    const login = { dbUser: 'backupx', dbPassword: 'choose a long password' };
    expect((await inspect(login)).warnings).toEqual([expect.stringContaining('2 large objects')]);
    server.sql(
      'REVOKE pg_read_all_data FROM backupx; ALTER ROLE backupx NOBYPASSRLS; REVOKE SELECT ON pg_authid FROM backupx',
    );
    expect((await inspect(login)).warnings).toEqual([
      expect.stringContaining('passwords of roles'),
      expect.stringMatching(/No right to read in "shop": .* and 6 more/),
      expect.stringMatching(/Row-level security hides rows .* sales\.customers/),
      expect.stringContaining('2 large objects'),
    ]);
  });
});

/** Somebody is at work in `shop`. */
async function beginSleep(place: Postgresql): Promise<{ kill(): void }> {
  const conninfo = `host='${place.folder}' port=${place.port} user=postgres dbname=shop application_name=sleeper`;
  const child = spawn(`${PROGRAMS}/psql`, ['-X', '-d', conninfo, '-c', 'SELECT pg_sleep(3600)'], {
    env: { PGPASSWORD: PASSWORD },
    stdio: 'ignore',
  });
  const working =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sleeper' AND query LIKE '%pg_sleep%'";
  await until('a session', () => place.sql(working) === '1\n');
  return { kill: () => void child.kill() };
}
