/** What must not look like a success: wrong logins, missing things, killed servers and programs, full disks, damage. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../packages/engine/src/ports/clock.ts';
import type { BackupContext } from '../../packages/engine/src/ports/source.ts';
import { runDump } from '../../packages/engine/src/sources/postgresql/pg-dump.ts';
import { PsqlSession } from '../../packages/engine/src/sources/postgresql/psql-session.ts';
import { Server } from '../../packages/engine/src/sources/postgresql/server.ts';
import { configSchema } from '../../packages/engine/src/sources/postgresql/settings.ts';
import { newerPrograms, PASSWORD, type Postgresql, PROGRAMS, startPostgresql } from '../servers/postgresql.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import {
  appeared,
  besideSmallDisk,
  cancelled,
  failureOf,
  killedWith,
  mayMount,
  until,
} from '../support/faulty-runs.ts';
import { freezeServer } from '../support/frozen-server.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { databaseNames, describeDatabase, makeShop } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-faults');
const runner = createRunner(work.at('temp'));
const newerServer = await newerPrograms();
let server: Postgresql;
let jobs: SourceJobs;

beforeAll(async () => {
  chmodSync(work.path, 0o711);
  server = await startPostgresql();
  makeShop(server);
  server.sql('CREATE DATABASE big; CREATE DATABASE slow');
  // Little on disk, and much to send: whatever is done to its dump happens in the middle.
  server.sql("CREATE TABLE wide AS SELECT repeat('x', 20000000) AS text", 'slow');
  for (let count = 1; count < 64; count *= 2) server.sql('INSERT INTO wide SELECT text FROM wide', 'slow');
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
const running = () => findTools(`port='${server.port}'`);

describe('before anything is dumped', () => {
  it('refuses a wrong password, and saves nothing', async () => {
    const error = await failureOf(jobs.backup(source({ dbPassword: 'wrong' })));
    expect(error.code).toBe('DATABASE_AUTH');
    expect(error.message).toContain('"postgres"');
    expect(leftovers()).toEqual([]);
  });

  it('refuses a password that no password file can hold', async () => {
    for (const dbPassword of ['a\nb', 'a\r']) {
      expect(await failureOf(jobs.backup(source({ dbPassword })))).toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  it('says where nothing listens', async () => {
    expect(await failureOf(jobs.backup(source({ dbPort: 1 })))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });

  it('saves the databases that are there, and names the one that is not', async () => {
    const result = await jobs.backup(source({ databases: ['shop', 'missing', 'postgres'] }));
    expect(result).toMatchObject({ status: 'warning', problemCount: 1 });
    expect(result.problems[0]).toMatchObject({ path: '/postgresql/missing', code: 'unreadable' });
    expect(await failureOf(jobs.backup(source({ databases: ['missing'] })))).toMatchObject({
      code: 'DATABASE_NOT_FOUND',
    });
  });

  it('says which package brings the programs', async () => {
    mkdirSync(work.at('empty'));
    const error = await failureOf(jobs.backup(source({ toolFolder: work.at('empty') })));
    expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISSING', params: { package: 'postgresql-client' } });
  });

  it.skipIf(newerServer === null)('refuses a server that is newer than every program here', async () => {
    const newer = await startPostgresql({ programs: newerServer ?? '' });
    try {
      const error = await failureOf(jobs.backup(source({ dbPort: newer.port })));
      expect(error).toMatchObject({ code: 'DATABASE_TOOL_MISMATCH', params: { package: 'postgresql-client-18' } });
      expect(error.message).toMatch(/15\.\d+.*18\.\d+/);
    } finally {
      await newer.stop();
    }
  });

  it('tells tables it may not read, and rows that are hidden from it', async () => {
    server.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CONNECT ON DATABASE shop TO plain");
    const login = { dbUser: 'plain', dbPassword: 'plain', databases: ['shop'] };
    const error = await failureOf(jobs.backup(source(login)));
    expect(error).toMatchObject({ code: 'DATABASE_PERMISSION' });
    server.sql('GRANT pg_read_all_data TO plain; GRANT SELECT ON LARGE OBJECT 4711, 4712 TO plain', 'shop');
    expect((await failureOf(jobs.backup(source(login)))).message).toContain('row-level security');
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
    expect(await failureOf(jobs.backup(source({ tlsMode: 'require' })))).toMatchObject({ code: 'DATABASE_TLS' });
    const secure = await startPostgresql({ tls: pem });
    try {
      const attempt = (more: Record<string, unknown>) => jobs.backup(source({ dbPort: secure.port, ...more }));
      const stranger = await failureOf(attempt({ dbHost: 'localhost', tlsMode: 'verify-full' }));
      expect([stranger.code, stranger.message]).toEqual(['DATABASE_TLS', expect.stringContaining('verify failed')]);
      const wrongName = await failureOf(attempt({ tlsMode: 'verify-full', tlsCa: pem.certificate }));
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
    const { folder, called, text } = recordPrograms(work.at('recorded'), readdirSync(PROGRAMS), PROGRAMS);
    const recorded = source({ databases: ['shop'], toolFolder: folder });
    const result = await jobs.backup(recorded);
    await jobs.restore(recorded, result, { options: { rename: ['shop=shop2'] } });
    const proof = {
      kind: 'verify_artifact',
      source: recorded,
      mode: 'deep',
      artifact: jobs.artifactOf(result),
    } as const;
    expect((await runner.run(proof)).status).toBe('success');
    const programs = ['initdb', 'pg_dump', 'pg_dumpall', 'pg_restore', 'postgres', 'psql'];
    expect(called()).toEqual(expect.arrayContaining(programs));
    const seen = text();
    for (const part of [PASSWORD, 'ss "w']) expect(seen).not.toContain(part);
    server.sql('DROP DATABASE shop2');
  });

  it('ends every program of a restore that is cancelled, and drops what it made', async () => {
    const result = await jobs.backup(source({ databases: ['big'] }));
    const when = () => appeared('pg_restore', `port='${server.port}'`);
    const job = jobs.restoreJob(source(), result, { options: { rename: ['big=big5'] } });
    expect(await cancelled(job, { tempDir: work.at('cancelled'), when })).toMatchObject({ code: 'CANCELLED' });
    await until('the end of its programs', () => running().length === 0);
    expect(databaseNames(server).filter((name) => /^(big5|backupx)/.test(name))).toEqual([]);
  });

  it.skipIf(!mayMount)('fails when a restore has no room for its temporary files (needs root)', async () => {
    const result = await jobs.backup(source({ databases: ['big'] }));
    const full = work.at('full');
    await besideSmallDisk(full, '8m', async () => {
      const small = createRunner(full);
      const options = { rename: ['big=big3'], parallelJobs: 2 };
      const restore = small.run(jobs.restoreJob(source(), result, { options }));
      expect((await failureOf(restore)).message).toContain('ENOSPC');
      await small.close();
    });
    expect(databaseNames(server).filter((name) => /^(big3|backupx)/.test(name))).toEqual([]);
  });

  it('drops what a killed restore left, at the next one', async () => {
    const result = await jobs.backup(source({ databases: ['big'] }));
    const job = jobs.restoreJob(source(), result, { options: { rename: ['big=big4'] } });
    await killedWith(job, {
      tempDir: work.at('killed'),
      tool: () => appeared('pg_restore', `port='${server.port}'`),
      onBegun: () =>
        expect(databaseNames(server).filter((name) => name.startsWith('backupx_restore_'))).toHaveLength(1),
    });
    await until('the end of its programs', () => running().length === 0);
    await jobs.restore(source(), result, { options: { rename: ['big=big4'] } });
    expect(databaseNames(server).filter((name) => name.startsWith('backupx'))).toEqual([]);
    server.sql('DROP DATABASE big4');
  });
});

describe('a server that stands still', () => {
  const never = new AbortController().signal;
  const open = () => Server.open(configSchema.parse(source().config), work.at('temp'), never);

  it('lets a question end after its time, or at once when the run is cancelled', async () => {
    const [place, stop] = [await open(), new AbortController()];
    const patient = await PsqlSession.open(place, 'slow', never);
    const cancellable = await PsqlSession.open(place, 'slow', stop.signal);
    const goOn = await freezeServer(server);
    try {
      await expect(patient.query('SELECT 1 AS one', 200)).rejects.toMatchObject({ code: 'TIMEOUT' });
      const asked = cancellable.query('SELECT 1 AS one');
      stop.abort();
      await expect(asked).rejects.toMatchObject({ code: 'CANCELLED' });
    } finally {
      goOn();
      for (const session of [patient, cancellable]) await session.close();
      place.close();
    }
  });

  it('keeps no backup that is cancelled', async () => {
    const before = leftovers();
    let goOn = () => {};
    try {
      const when = async () => {
        await appeared('pg_dump', `port='${server.port}'`);
        goOn = await freezeServer(server);
      };
      const job = jobs.backupJob(source({ databases: ['slow'] }));
      expect(await cancelled(job, { tempDir: work.at('temp'), when })).toMatchObject({ code: 'CANCELLED' });
      await until('the end of its programs', () => running().length === 0);
    } finally {
      goOn();
    }
    expect(leftovers()).toEqual(before);
  });

  it('ends a dump that nobody cancels', async () => {
    const place = await open();
    const session = await PsqlSession.open(place, 'slow', never);
    const frozen = Promise.withResolvers<void>();
    // It is asked as soon as it stands still, and not waited for five minutes.
    vi.spyOn(systemClock, 'sleep').mockImplementation((ms) => (ms === 60_000 ? frozen.promise : Promise.resolve()));
    const query = session.query.bind(session);
    const context = { signal: never, log() {}, problem() {} } as unknown as BackupContext;
    const config = configSchema.parse(source().config);
    const parts = { server: place, programs: place.newest, config, context, modifiedAt: new Date(0) };
    let goOn = () => {};
    try {
      await session.run('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;');
      const [row] = await session.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
      vi.spyOn(session, 'query').mockImplementation((select) => query(select, 200));
      const moment = { database: 'slow', session, snapshot: row?.snapshot ?? '' };
      const dump = runDump(parts, { ...moment, format: ['--format=custom'] });
      expect((await dump.next()).done).toBe(false);
      goOn = await freezeServer(server);
      frozen.resolve();
      const rest = async () => {
        for await (const _ of dump);
      };
      await expect(rest()).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(running()).toEqual([]);
    } finally {
      vi.restoreAllMocks();
      goOn();
      await session.close();
      place.close();
    }
  });
});

for (const mode of backupModes) {
  damagedBackups(mode, {
    ...{ name: 'a backup of PostgreSQL', work, runner, source: () => source({ databases: ['shop'] }) },
    restore: { options: { replaceExisting: true } },
    look: () => [describeDatabase(server, 'shop'), databaseNames(server)],
  });
}

// Into a repository: see `postgresql-faults-repository.test.ts`.
dumpFaults('archive', {
  ...{ name: 'a dump of PostgreSQL', work, runner, leavesSecrets: true },
  slow: () => source({ databases: ['slow'] }),
  large: () => source({ databases: ['big'] }),
  quick: () => source({ databases: ['postgres'] }),
  begun: () => appeared('pg_dump', `port='${server.port}'`),
  hasEnded: () => running().length === 0,
  program: { name: 'pg_dump', word: () => `port='${server.port}'` },
  server: { kill: () => server.kill(), start: () => server.start() },
});
