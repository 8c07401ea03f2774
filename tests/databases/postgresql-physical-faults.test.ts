/** Physical backups that cannot go well, and what is wrong with a server although they do. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newerPrograms, PASSWORD, type Postgresql, PROGRAMS, startOn, startPostgresql } from '../servers/postgresql.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { failureOf, mayMount, until } from '../support/faulty-runs.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('postgresql-physical-faults');
const runner = createRunner(work.at('temp'));
/** A stopped cluster, as far as anybody can see. */
const replaced = work.at('replaced');
const newerServer = await newerPrograms();
let server: Postgresql;
let jobs: SourceJobs;

beforeAll(async () => {
  chmodSync(work.path, 0o711);
  server = await startPostgresql({
    initdb: ['--data-checksums'],
    settings: ['archive_mode=on', "archive_command='false'", 'max_replication_slots=2'],
  });
  server.sql('CREATE DATABASE shop');
  server.sql('CREATE TABLE rows AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g', 'shop');
  server.sql("ALTER SYSTEM SET archive_command = 'true'");
  server.sql('SELECT pg_reload_conf()');
  jobs = await createSourceJobs(runner, work, 'archive');
  mkdirSync(replaced);
  writeFileSync(path.join(replaced, 'PG_VERSION'), '15\n');
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql-physical',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, ...more },
});
const inspect = (more: Record<string, unknown> = {}) => runner.run({ kind: 'inspect_source', source: source(more) });
const running = () => findTools(`port='${server.port}'`);
describe('before anything is read', () => {
  it('refuses logins that may not, and says what would let them', async () => {
    expect(await failureOf(jobs.backup(source({ dbPassword: 'wrong' })))).toMatchObject({ code: 'DATABASE_AUTH' });
    server.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    const login = { dbUser: 'plain', dbPassword: 'plain' };
    const error = await failureOf(jobs.backup(source(login)));
    expect([error.code, error.message]).toEqual(['DATABASE_PERMISSION', expect.stringContaining('REPLICATION')]);
    expect((await inspect(login)).warnings).toContainEqual(expect.stringMatching(/would fail: .*REPLICATION/));
    server.sql('ALTER ROLE plain REPLICATION');
    expect((await jobs.backup(source(login))).status).toBe('success');
    expect((await inspect(login)).warnings.filter((text) => text.includes('would fail'))).toEqual([]);
    server.sql((await inspect()).readOnlyUserSql ?? '');
    const offered = { dbUser: 'backupx', dbPassword: 'choose a long password' };
    expect((await inspect(offered)).warnings).toEqual([]);
    expect((await jobs.backup(source(offered))).problems).toEqual([]);
  });

  it('says when pg_hba.conf keeps replication out', async () => {
    const file = path.join(server.folder, 'data', 'pg_hba.conf');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll(/^(local|host) +replication.*$/gm, ''));
    server.sql('SELECT pg_reload_conf()');
    try {
      const error = await failureOf(jobs.backup(source()));
      expect([error.code, error.message]).toEqual(['DATABASE_AUTH', expect.stringContaining('pg_hba.conf')]);
      expect((await inspect()).warnings).toContainEqual(expect.stringMatching(/would fail: .*pg_hba\.conf/));
    } finally {
      writeFileSync(file, text);
      server.sql('SELECT pg_reload_conf()');
    }
  });

  it('refuses servers that are not set up for it', async () => {
    const minimal = await startPostgresql({ settings: ['wal_level=minimal', 'max_wal_senders=0'] });
    try {
      const error = await failureOf(jobs.backup(source({ dbPort: minimal.port })));
      expect([error.code, error.message]).toEqual(['DATABASE_SETTINGS', expect.stringContaining('wal_level')]);
    } finally {
      await minimal.stop();
    }
  });

  it.skipIf(newerServer === null)('refuses a server of another version', async () => {
    const newer = await startPostgresql({ programs: newerServer ?? '' });
    try {
      const error = await failureOf(jobs.backup(source({ dbPort: newer.port })));
      expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISMATCH', params: { package: 'postgresql-client-18' } });
      expect(error.message).toMatch(/pg_basebackup 15\.\d+.*18\.\d+/);
    } finally {
      await newer.stop();
    }
  });
});

for (const mode of backupModes) {
  damagedBackups(mode, {
    ...{ name: 'a backup of a cluster', work, runner, source },
    restore: { options: { dataFolder: replaced, replaceExisting: true } },
    look: () => {
      return [readdirSync(replaced), readFileSync(path.join(replaced, 'PG_VERSION'), 'utf8'), readdirSync(work.path)];
    },
  });
  dumpFaults(mode, {
    ...{ name: 'a copy of a cluster', work, runner, leavesSecrets: true },
    slow: () => source({ maxRateKilobytes: 256 }),
    large: source,
    quick: source,
    begun: async () => {
      await until('the copying', () => running().some(({ name }) => name === 'pg_basebackup'));
      await until('its hold on the WAL', () => server.sql('SELECT temporary FROM pg_replication_slots') === 't\n');
    },
    hasEnded: () => running().length === 0 && server.sql('SELECT count(*) FROM pg_replication_slots') === '0\n',
    program: { name: 'pg_basebackup', word: () => `port='${server.port}'` },
    server: { kill: () => server.kill(), start: () => server.start() },
  });
}

describe('a restore', () => {
  it.skipIf(!mayMount)('onto a full disk leaves nothing there (needs root)', async () => {
    const result = await jobs.backup(source());
    const full = work.at('full');
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=755', 'tmpfs', full]);
    try {
      for (const dataFolder of [full, path.join(full, 'new')]) {
        const error = await failureOf(jobs.restore(source(), result, { options: { dataFolder } }));
        expect([error.code, error.message]).toEqual(['RESTORE_TARGET_INVALID', expect.stringContaining('ENOSPC')]);
        expect(readdirSync(full)).toEqual([]);
      }
    } finally {
      execFileSync('umount', ['-l', full]);
    }
  });

  it.skipIf(!mayMount)('works into a folder that is a mount of its own (needs root)', async () => {
    const result = await jobs.backup(source());
    const dataFolder = work.at('mount');
    mkdirSync(dataFolder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=755', 'tmpfs', dataFolder]);
    try {
      await jobs.restore(source(), result, { options: { dataFolder } });
      const copy = await startOn(dataFolder);
      expect(copy.sql('SELECT count(*) FROM rows', 'shop')).toBe('20000\n');
      await copy.stop();
    } finally {
      execFileSync('umount', ['-l', dataFolder]);
    }
  });
});

it('shows no secret to others on the machine, in a restore and a proof neither', async () => {
  const { folder, called, text } = recordPrograms(work.at('recorded'), readdirSync(PROGRAMS), PROGRAMS);
  const recorded = source({ toolFolder: folder });
  const result = await jobs.backup(recorded);
  await jobs.restore(recorded, result, { options: { dataFolder: work.at('seen') } });
  const proof = { kind: 'verify_artifact', source: recorded, mode: 'deep', artifact: jobs.artifactOf(result) } as const;
  expect((await runner.run(proof)).status).toBe('success');
  expect(called()).toEqual(expect.arrayContaining(['pg_basebackup', 'pg_verifybackup', 'postgres', 'psql']));
  const seen = text();
  for (const part of [PASSWORD, 'ss "w']) expect(seen).not.toContain(part);
});

describe('alarms', () => {
  it('tells of an archiver that fails, what waits for it, and of a slot that nobody uses', async () => {
    server.sql("ALTER SYSTEM SET archive_command = 'false'");
    server.sql('SELECT pg_reload_conf()');
    server.sql('CREATE TABLE something (i int)');
    server.sql('SELECT pg_switch_wal() \\g /dev/null');
    await until(
      'a failed archiving',
      () =>
        server.sql("SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver") ===
        't\n',
    );
    server.sql("SELECT pg_create_physical_replication_slot('forgotten', true)");
    try {
      const { warnings } = await inspect();
      expect(warnings).toContainEqual(expect.stringMatching(/archiver .* fails .*[0-9A-F]{24}.* [1-9]\d* segment/));
      expect(warnings).toContainEqual(expect.stringContaining('"forgotten" is used by nobody'));
      const result = await jobs.backup(source());
      expect(result).toMatchObject({ status: 'warning', problemCount: 1 });
      expect(result.problems[0]?.message).toContain('archive_command');
    } finally {
      server.sql("SELECT pg_drop_replication_slot('forgotten')");
      server.sql("ALTER SYSTEM SET archive_command = 'true'");
      server.sql('SELECT pg_reload_conf()');
      await until(
        'a good archiving',
        () => server.sql('SELECT last_archived_time > last_failed_time FROM pg_stat_archiver') === 't\n',
      );
    }
  });

  it('says when nothing archives: only the moments of backups can be restored', async () => {
    const alone = await startPostgresql();
    try {
      const { warnings } = await inspect({ dbPort: alone.port });
      expect(warnings).toContainEqual(expect.stringContaining('archive_mode is off'));
      expect(warnings).toContainEqual(expect.stringContaining('data_checksums is off'));
    } finally {
      await alone.stop();
    }
  });

  it('saves a server with damaged pages as it is, and names them', async () => {
    // A vacuum would write its pages anew.
    server.sql('CREATE TABLE broken WITH (autovacuum_enabled = off) AS SELECT g FROM generate_series(1, 2000) g');
    server.sql('CHECKPOINT');
    const file = path.join(server.folder, 'data', server.sql("SELECT pg_relation_filepath('broken')").trim());
    const bytes = readFileSync(file);
    bytes[9000] = (bytes[9000] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const result = await jobs.backup(source());
    expect(result.status).toBe('warning');
    expect(result.problems).toEqual([
      expect.objectContaining({ code: 'inconsistent', message: expect.stringMatching(/checksum.*base\/\d+\/\d+/) }),
    ]);
    const verify = async (mode: 'quick' | 'deep') => {
      const job = { kind: 'verify_artifact', source: source(), artifact: jobs.artifactOf(result) } as const;
      const { checks } = await runner.run({ ...job, mode });
      return checks.filter(({ ok }) => !ok);
    };
    // Every file is as it was; only who reads the rows sees it.
    expect(await verify('quick')).toEqual([]);
    const detail = expect.stringMatching(/database "postgres": .*invalid page/);
    expect(await verify('deep')).toEqual([expect.objectContaining({ name: 'rows', detail })]);
    const dataFolder = work.at('damaged-pages');
    await jobs.restore(source(), result, { options: { dataFolder } });
    const copy = await startOn(dataFolder);
    expect(copy.sql('SELECT count(*) FROM rows', 'shop')).toBe('20000\n');
    await copy.stop();
  });
});
