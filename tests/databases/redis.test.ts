import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DriverSettings, RunBackupResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRelay } from '../servers/meddling-relay.ts';
import { makeCertificates, type RedisOptions, type RedisServer, startRedis } from '../servers/redis.ts';
import { secretsBelow } from '../support/dump-faults.ts';
import { besideSmallDisk, mayMount } from '../support/faulty-runs.ts';
import { createRunner, startJob } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { DEBUG as debug, digest, fill } from './redis-samples.ts';

const password = `p w"'\\#é`;
const work = makeWorkFolder('redis');
const runner = createRunner(work.at('temp'));
const servers: RedisServer[] = [];
let serverCount = 0;

async function start(options: Omit<RedisOptions, 'folder'> = {}): Promise<RedisServer> {
  serverCount += 1;
  const server = await startRedis({ folder: work.at(`server-${serverCount}`), ...options });
  servers.push(server);
  return server;
}

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  await runner.close();
  work.remove();
});

const at = (server: RedisServer, more = {}): DriverSettings => ({
  type: 'redis',
  config: { dbHost: '127.0.0.1', dbPort: server.port, ...more },
});
const replace = { options: { replaceExisting: true } };

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  let server: RedisServer;
  let result: RunBackupResult;
  let whole: string;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
    // Each mode with one of the two ways a server sends its dump.
    server = await start({ password, args: [...debug, '--repl-diskless-sync', mode === 'archive' ? 'yes' : 'no'] });
    fill(server);
    whole = digest(server);
    result = await jobs.backup(at(server, { dbPassword: password }));
  });
  beforeEach(() => {
    server.feed('SET plain changed\nDEL list\nSET new 1\nSELECT 3\nFLUSHDB\nFUNCTION FLUSH');
  });

  it('brings every key, expiry and function back, only where that is allowed', async () => {
    expect(result).toMatchObject({ status: 'success', problems: [] });
    const damaged = digest(server);
    expect(damaged).not.toBe(whole);
    const source = at(server, { dbPassword: password });
    await expect(jobs.restore(source, result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(digest(server)).toBe(damaged);
    const expiry = server.cli('PEXPIRETIME', 'expires');
    const seen = new Set<string>();
    const watch = setInterval(() => lookAtChildren(seen), 20);
    const restored = await jobs.restore(source, result, replace);
    clearInterval(watch);
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    expect(digest(server)).toBe(whole);
    expect(server.cli('PEXPIRETIME', 'expires')).toBe(expiry);
    expect(server.cli('FCALL', 'one', '0')).toBe('1');
    expect([...seen].join('\n')).toContain('redis-server');
    for (const secret of [password, 'p w']) expect([...seen].join('\n')).not.toContain(secret);
    const databases = server.cli('INFO', 'keyspace').match(/db\d+/g);
    expect(databases).toEqual(['db0', 'db3', 'db15']);
    expect(secretsBelow(work.at('temp'))).toEqual([]);
  });

  it('restores into another server, into a folder, and to the file of a stopped server', async () => {
    const other = await start({ args: debug });
    const source = at(server, { dbPassword: password });
    await jobs.restore(source, result, { options: { dbHost: other.socket } });
    expect(digest(other)).toBe(whole);
    other.cli('FLUSHALL');
    other.cli('FUNCTION', 'FLUSH');
    await jobs.restore(source, result, { options: { dbHost: other.socket, rename: ['3=0', '0=7'] } });
    expect(other.cli('INFO', 'keyspace').match(/db\d+/g)).toEqual(['db0', 'db7', 'db15']);
    expect(other.cli('GET', 'three')).toBe('3');

    const target = work.at(`target-${mode}`);
    mkdirSync(target);
    await jobs.restore(source, result, { targetPath: target });
    execFileSync('redis-check-rdb', [path.join(target, 'redis/dump.rdb')]);

    other.cli('FLUSHALL');
    const dumpPath = path.join(other.folder, 'dump.rdb');
    await expect(jobs.restore(source, result, { options: { dumpPath } })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      message: expect.stringContaining(`(process ${other.process.pid})`),
    });
    await other.stop();
    writeFileSync(dumpPath, 'old');
    mkdirSync(path.join(other.folder, 'appendonlydir'));
    await expect(jobs.restore(source, result, { options: { dumpPath } })).rejects.toMatchObject({
      code: 'DATABASE_EXISTS',
    });
    expect(readFileSync(dumpPath, 'utf8')).toBe('old');
    const restored = await jobs.restore(source, result, { options: { dumpPath, replaceExisting: true } });
    expect(restored.problems).toMatchObject([{ message: expect.stringContaining('appendonlydir is beside it') }]);
    const again = await startRedis({ folder: other.folder, args: debug });
    servers.push(again);
    expect(digest(again)).toBe(whole);
    const [kept = ''] = readdirSync(other.folder).filter((name) => name.startsWith('dump.rdb.replaced-'));
    expect(readFileSync(path.join(other.folder, kept), 'utf8')).toBe('old');
    expect(readdirSync(other.folder).filter((name) => name.includes('backupx'))).toEqual([]);
  });

  it('is proven by reading it through and by loading it', async () => {
    const source = at(server, { dbPassword: password });
    const artifact = jobs.artifactOf(result);
    for (const depth of ['quick', 'deep'] as const) {
      const { status, checks } = await runner.run({ kind: 'verify_artifact', artifact, source, mode: depth });
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(status).toBe('success');
      const names = checks.filter(({ subject }) => subject === '/redis/dump.rdb').map(({ name }) => name);
      expect(names).toEqual(['structure', 'inventory', ...(depth === 'deep' ? ['engine', 'restore', 'rows'] : [])]);
    }
  });
});

/** Command lines and environments of programs that run for this test. */
function lookAtChildren(seen: Set<string>): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (line.includes(work.at('temp'))) seen.add(`${line} ${readFileSync(`/proc/${pid}/environ`, 'utf8')}`);
    } catch {
      // It has gone.
    }
  }
}

describe('what is not as it should be', () => {
  let jobs: SourceJobs;
  let server: RedisServer;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, 'archive');
    server = await start({ password, args: debug });
    server.feed('SET a 1\nSELECT 2\nSET b 2');
  });

  it('refuses a wrong login', async () => {
    const before = readdirSync(jobs.store).length;
    for (const login of [{ dbPassword: 'wrong' }, {}, { dbUser: 'nobody', dbPassword: password }]) {
      await expect(jobs.backup(at(server, login))).rejects.toMatchObject({ code: 'DATABASE_AUTH' });
    }
    expect(readdirSync(jobs.store).length).toBe(before);
    const nowhere = { type: 'redis', config: { dbHost: '127.0.0.1', dbPort: 1 } };
    await expect(jobs.backup(nowhere)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });

  it('works with the user it offers, who may do nothing else', async () => {
    const inspect = async (source: DriverSettings) => await runner.run({ kind: 'inspect_source', source });
    const { readOnlyUserSql: offered } = await inspect(at(server, { dbPassword: password }));
    const [statement = '', save] = String(offered).replace('\\\n', '').split('\n');
    expect([statement.includes('choose a password'), save]).toEqual([true, 'ACL SAVE']);
    expect(readFileSync(path.resolve(import.meta.dirname, '../../docs/databases.md'), 'utf8')).toContain(
      `${statement.replaceAll(/ +/g, ' ')}\n${save}`,
    );
    server.feed(statement);
    expect(server.cli('ACL', 'LIST')).toContain('user backupx on');
    const user = at(server, { dbUser: 'backupx', dbPassword: 'choose a password' });
    expect(await inspect(user)).toMatchObject({ warnings: [], databases: [{ name: 'db0' }, { name: 'db2' }] });
    const result = await jobs.backup(user);
    expect(result).toMatchObject({ status: 'success', problems: [] });
    const other = await start({ args: debug });
    await jobs.restore(user, result, { options: { dbHost: other.socket } });
    expect(digest(other)).toBe(digest(server));
    const refused = { code: 'DATABASE_PERMISSION' };
    await expect(jobs.restore(user, result, { options: { replaceExisting: true } })).rejects.toMatchObject(refused);
  });

  it('works with a user who may only replicate, and says so when that is forbidden', async () => {
    const rights = 'on >u resetkeys -@all +ping +info +replconf +command|info +acl|whoami +acl|dryrun';
    server.cli('ACL', 'SETUSER', 'both', ...rights.split(' '), '+sync', '+psync');
    server.cli('ACL', 'SETUSER', 'psync', ...rights.split(' '), '+psync');
    server.cli('ACL', 'SETUSER', 'none', ...rights.split(' '));
    const as = (dbUser: string) => at(server, { dbUser, dbPassword: 'u' });
    for (const user of ['both', 'psync'])
      expect(await jobs.backup(as(user))).toMatchObject({ status: 'success', problems: [] });
    await expect(jobs.backup(as('none'))).rejects.toMatchObject({ code: 'DATABASE_PERMISSION' });
    const inspect = async (source: DriverSettings) => await runner.run({ kind: 'inspect_source', source });
    const seen = await inspect(as('both'));
    expect(seen).toMatchObject({ warnings: [], databases: [{ name: 'db0' }, { name: 'db2' }] });
    expect(seen.server).toMatch(/^Redis \d/);
    expect((await inspect(as('none'))).warnings).toEqual([expect.stringContaining('may not replicate')]);
    const managed = await start({ args: ['--rename-command', 'SYNC', '', '--rename-command', 'PSYNC', ''] });
    await expect(jobs.backup(at(managed))).rejects.toMatchObject({ code: 'DATABASE_PERMISSION' });
    expect((await inspect(at(managed))).warnings).toEqual([expect.stringContaining('no SYNC and PSYNC')]);
  });

  it('never falls back from TLS, and says what is wrong with it', async () => {
    const certificates = makeCertificates(work.at('certificates'));
    const secure = await start({ tls: certificates });
    secure.cli('SET', 'a', '1');
    const tlsCa = readFileSync(certificates.ca, 'utf8');
    const otherCa = readFileSync(certificates.otherCa, 'utf8');
    const by = (more: object) => jobs.backup(at(secure, more));
    expect(await by({ dbHost: 'localhost', tlsMode: 'verify-full', tlsCa })).toMatchObject({ status: 'success' });
    expect(await by({ tlsMode: 'verify-full', tlsCa, tlsServerName: 'localhost' })).toMatchObject({
      status: 'success',
    });
    expect(await by({ tlsMode: 'verify-ca', tlsCa })).toMatchObject({ status: 'success' });
    expect(await by({ tlsMode: 'require' })).toMatchObject({ status: 'success' });
    const reasons = [];
    for (const more of [
      { tlsMode: 'verify-full', tlsCa },
      { dbHost: 'localhost', tlsMode: 'verify-full', tlsCa: otherCa },
    ]) {
      const error = await by(more).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: 'DATABASE_TLS' });
      reasons.push((error as Error).message);
    }
    expect(reasons[0]).not.toBe(reasons[1]);
    await expect(by({ tlsMode: 'disable' })).rejects.toMatchObject({ message: expect.stringContaining('wants TLS') });
    await expect(jobs.backup(at(server, { tlsMode: 'require' }))).rejects.toMatchObject({ code: 'DATABASE_TLS' });
  });

  it('says that a node of a cluster holds only its part', async () => {
    const node = await start({ args: ['--cluster-enabled', 'yes'] });
    node.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const isReady = async () => node.cli('CLUSTER', 'INFO').includes('cluster_state:ok') || null;
    await waitFor('the node has all slots', isReady);
    node.cli('SET', 'a', '1');
    const result = await jobs.backup(at(node));
    expect(result).toMatchObject({ status: 'warning', problems: [{ code: 'unsupported' }] });
    await expect(jobs.restore(at(node), result, replace)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('changes nothing when a restore cannot be whole', async () => {
    const source = at(server, { dbPassword: password });
    const result = await jobs.backup(source);
    const target = await start({ args: [...debug, '--databases', '3'] });
    target.feed('SET mine 1\nSELECT 1\nSET other 1');
    const before = digest(target);
    const onto = { options: { dbHost: target.socket, replaceExisting: true } };
    await expect(jobs.restore(source, result, onto)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    expect(digest(target)).toBe(before);

    const full = await start({ args: [...debug, '--maxmemory', '3mb', '--maxmemory-policy', 'noeviction'] });
    full.feed('SET mine 1');
    const kept = digest(full);
    server.feed('SELECT 5\nDEBUG POPULATE 2000 large 2000');
    const large = await jobs.backup(source);
    await expect(
      jobs.restore(source, large, { options: { dbHost: full.socket, replaceExisting: true } }),
    ).rejects.toMatchObject({ message: expect.stringContaining('OOM') });
    expect(digest(full)).toBe(kept);
    const file = path.join(jobs.store, large.storagePath);
    truncateSync(file, statSync(file).size - 1000);
    const own = digest(server);
    await expect(jobs.restore(source, large, replace)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    expect(digest(server)).toBe(own);
  });

  it('empties what a killed restore left, and leaves no server behind', async () => {
    const source = at(server, { dbPassword: password });
    server.feed('SELECT 5\nDEBUG POPULATE 2000 many 100');
    const result = await jobs.backup(source);
    const whole = digest(server);
    // The copying stands still at its first key.
    const relay = await startRelay(server.port, 'RESTORE\r\n', 'stall');
    const job = startJob(
      {
        ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'killed', overwrite: 'always' },
        source: at(server, { dbPassword: password, dbPort: relay.port }),
        ...{ artifact: jobs.artifactOf(result), targetPath: null, paths: null, options: replace.options },
      },
      { tempDir: work.at('temp-killed') },
    );
    await relay.said;
    await job.kill();
    relay.close();
    const programs = () => execFileSync('ps', ['-eo', 'args']).toString();
    await waitFor('the end of its programs', async () => !programs().includes(work.at('temp-killed')));
    const left = [1, 3, 4, 6].filter(
      (database) => server.cli('-n', `${database}`, 'EXISTS', 'backupx:restore:scratch') === '1',
    );
    expect(left.length).toBeGreaterThan(0);
    // As if it had been some time ago.
    for (const database of left) server.cli('-n', `${database}`, 'SET', 'backupx:restore:scratch', '1');
    expect(await jobs.restore(source, result, replace)).toMatchObject({ status: 'success' });
    expect(digest(server)).toBe(whole);
  });

  it.skipIf(!mayMount)('fails when the temporary folder is full, and cleans up (needs root)', async () => {
    const source = at(server, { dbPassword: password });
    server.feed('SELECT 5\nDEBUG POPULATE 60000 many 100');
    const result = await jobs.backup(source);
    const before = digest(server);
    const small = work.at('small');
    await besideSmallDisk(small, '1m', async () => {
      const poor = createRunner(small);
      const poorJobs = { ...(await createSourceJobs(poor, work, 'archive')) };
      await expect(poorJobs.restore(source, result, replace)).rejects.toMatchObject({
        code: 'RESTORE_TARGET_INVALID',
        message: expect.stringContaining('ENOSPC'),
      });
      await poor.close();
      expect(secretsBelow(small)).toEqual([]);
      expect(digest(server)).toBe(before);
    });
  });
});
