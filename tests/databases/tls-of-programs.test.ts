/**
 * The programs that copy whole servers and follow their logs, with TLS and an authority of one's own: none of them goes on
 * when the certificate is of somebody else, and all of them know a server by the name it was given.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { makeCertificates } from '../servers/redis.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { waitFor } from '../support/start-program.ts';
import { filesIn, makeWalPlace, startBackupx, startWal } from '../support/wal-place.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('tls-of-programs');
const runner = createRunner(work.at('temp'));
/** Of a certificate whose only name is `localhost`. */
const names = makeCertificates(work.at('tls'));
const pem = { ca: readFileSync(names.ca, 'utf8'), otherCa: readFileSync(names.otherCa, 'utf8') };
let jobs: SourceJobs;
beforeAll(async () => {
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

/** What is to be refused: the name is another one, or the authority is. */
const wrong = [
  ['of another name', '127.0.0.1', 'ca'],
  ['of another authority', 'localhost', 'otherCa'],
] as const;

const tlsFiles = () => ({ key: readFileSync(names.key, 'utf8'), certificate: readFileSync(names.cert, 'utf8') });

describe('MariaDB', () => {
  let server: Mariadb;
  beforeAll(async () => {
    server = await startMariadb({ tls: tlsFiles(), settings: ['require-secure-transport=ON'] });
    server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (v INT); INSERT INTO shop.t VALUES (1), (2)');
  });
  afterAll(() => server?.stop());

  const copyFrom = (dbHost: string, tlsCa: string) => ({
    type: 'mysql-physical',
    config: { dbHost, dbPort: server.port, dbUser: 'root', tlsMode: 'verify-full', tlsCa },
  });

  it('is copied by mariadb-backup, which checks its name', async () => {
    const result = await jobs.backup(copyFrom('localhost', pem.ca));
    expect(result.problems).toEqual([]);
    const target = work.at('mariadb-copy');
    await jobs.restore(copyFrom('localhost', pem.ca), result, { targetPath: target });
    expect(readdirSync(path.join(target, 'mysql-physical/data/shop'))).toContain('t.frm');
  });

  it.each(wrong)('is not copied with a certificate %s', async (_, host, authority) => {
    await expect(jobs.backup(copyFrom(host, pem[authority]))).rejects.toMatchObject({ code: 'DATABASE_TLS' });
  });

  function follow(host: string, caFile: string) {
    const folder = work.at(`binlog-${host}-${path.basename(caFile)}`);
    mkdirSync(folder);
    const config = path.join(folder, 'binlog.conf');
    const settings = {
      ...{
        storage: 'local_disk',
        'storage.basePath': folder,
        prefix: 'logs',
        spool_folder: path.join(folder, 'spool'),
      },
      ...{ host, port: server.port, user: 'root', tls_mode: 'verify-full', tls_ca: `@${caFile}` },
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(config, lines.join(''), { mode: 0o600 });
    return { ...startBackupx(['binlog', 'receive', '--config', config]), logs: path.join(folder, 'logs') };
  }

  it('is followed by mariadb-binlog, which checks its name', async () => {
    const { child, ended, output, logs } = follow('localhost', names.ca);
    const [log] = server.sql('SHOW MASTER STATUS').split('\t');
    await waitFor(
      'the receiver',
      async () => output.stdout.includes('Following') || output.stderr.includes('Following'),
    );
    server.sql('FLUSH BINARY LOGS');
    await waitFor(`${log} in the archive`, async () => readdirSync(logs).some((name) => name.startsWith(`${log}-`)));
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it.each(wrong)('is not followed with a certificate %s', async (_, host, authority) => {
    const { code, stderr } = await follow(host, names[authority]).ended;
    expect(stderr).toContain('DATABASE_TLS');
    expect(code).not.toBe(0);
  });
});

describe('PostgreSQL', () => {
  let server: Postgresql;
  beforeAll(async () => {
    server = await startPostgresql({ tls: tlsFiles() });
    server.sql('CREATE TABLE t (v int); INSERT INTO t VALUES (1), (2)');
    writeFileSync(work.at('password'), `${PASSWORD}\n`, { mode: 0o600 });
  });
  afterAll(() => server?.stop());

  const copyFrom = (dbHost: string, tlsCa: string) => ({
    type: 'postgresql-physical',
    config: { dbHost, dbPort: server.port, dbUser: 'postgres', dbPassword: PASSWORD, tlsMode: 'verify-full', tlsCa },
  });

  it('is copied by pg_basebackup, which checks its name', async () => {
    const result = await jobs.backup(copyFrom('localhost', pem.ca));
    expect(result.problems).toEqual([]);
    const target = work.at('postgresql-copy');
    await jobs.restore(copyFrom('localhost', pem.ca), result, { targetPath: target });
    expect(readFileSync(path.join(target, 'postgresql-physical/data/PG_VERSION'), 'utf8')).toBe('15\n');
  });

  it.each(wrong)('is not copied with a certificate %s', async (_, host, authority) => {
    await expect(jobs.backup(copyFrom(host, pem[authority]))).rejects.toMatchObject({ code: 'DATABASE_TLS' });
  });

  function follow(host: string, caFile: string) {
    const folder = work.at(`wal-${host}-${path.basename(caFile)}`);
    mkdirSync(folder);
    const place = makeWalPlace(folder);
    const at = ['--host', host, '--port', String(server.port), '--user', 'postgres'];
    const secure = ['--sslmode', 'verify-full', '--sslrootcert', caFile, '--password-file', work.at('password')];
    const spool = ['--spool', path.join(folder, 'spool'), '--create-slot'];
    return { ...startWal(['receive', '--config', place.config, ...spool, ...at, ...secure]), store: place.store };
  }

  it('is followed by pg_receivewal, which checks its name', async () => {
    const { child, ended, output, store } = follow('localhost', names.ca);
    await waitFor('the slot', async () => server.sql('SELECT active FROM pg_replication_slots').trim() === 't');
    const segment = server.sql('INSERT INTO t VALUES (3); SELECT pg_walfile_name(pg_switch_wal())').trim();
    await waitFor(`${segment} in the archive`, async () => filesIn(store).some(({ name }) => name === segment));
    child.kill('SIGTERM');
    expect(await ended, output.stderr).toMatchObject({ code: 0 });
  });

  it.each(wrong)('is not followed with a certificate %s', async (_, host, authority) => {
    const { code, stderr } = await follow(host, names[authority]).ended;
    expect(stderr).toContain('DATABASE_TLS');
    expect(code).not.toBe(0);
  });
});
