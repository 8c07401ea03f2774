/** Restores over what is there: who is connected, and connections, disks and people that break them off. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import type { DriverSettings, InspectTargetResult, RunBackupResult, RunRestoreJob } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { RestoreContext } from '../../packages/engine/src/ports/source.ts';
import { redisSource } from '../../packages/engine/src/sources/redis/redis-source.ts';
import { type Relay, startRelay } from '../servers/meddling-relay.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { besideSmallDisk, mayMount } from '../support/faulty-runs.ts';
import { entriesOfFolder } from '../support/folder-entries.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('redis-replace');
const runner = createRunner(work.at('temp'));
const sockets: Socket[] = [];
let server: RedisServer;
let jobs: SourceJobs;
let result: RunBackupResult;
let whole: string;

beforeAll(async () => {
  server = await startRedis({ folder: work.at('server'), args: ['--enable-debug-command', 'yes'] });
  server.feed('DEBUG POPULATE 500 many 20\nSELECT 3\nSET three 3');
  server.feed(`FUNCTION LOAD "#!lua name=mylib\\nredis.register_function('one', function() return 1 end)"`);
  whole = server.cli('DEBUG', 'DIGEST');
  jobs = await createSourceJobs(runner, work, 'archive');
  result = await jobs.backup(source());
});
beforeEach(() => {
  server.feed('FLUSHALL\nSET mine 1\nSELECT 5\nSET other 1');
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await server?.stop('SIGKILL');
  await runner.close();
  work.remove();
});

const source = (port = server.port): DriverSettings => ({
  type: 'redis',
  config: { dbHost: '127.0.0.1', dbPort: port },
});
const digest = () => server.cli('DEBUG', 'DIGEST');
const inspect = (options: object): Promise<InspectTargetResult> =>
  runner.run({ kind: 'inspect_target', source: source(), options: { ...options }, entries: ['/redis/inventory.json'] });

/** Somebody who has a database selected, and stays. */
async function sitDown(database: number, name: string): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  let said = '';
  socket.on('data', (chunk) => {
    said += String(chunk);
  });
  socket.write(`CLIENT SETNAME ${name}\r\nSELECT ${database}\r\n`);
  while (!/OK\r\n\+OK\r\n/.test(said)) await once(socket, 'data');
  return socket;
}

it('says what would be replaced and who is connected, with the numbers they would get', async () => {
  const till = await sitDown(5, 'till');
  const found = await inspect({ replaceExisting: true });
  expect(found.server).toBe(`127.0.0.1:${server.port}`);
  expect(found.databases.map(({ name, exists }) => [name, exists])).toEqual([
    ['db0', true],
    ['db5', true],
  ]);
  const session = { user: 'default', program: 'till', address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) };
  expect(found.databases.map(({ sessions }) => sessions)).toMatchObject([[], [session]]);
  expect((await inspect({ rename: ['5=7'] })).databases.map(({ name }) => name)).toEqual(['db0']);
  expect((await inspect({ rename: ['0=5'] })).databases.map(({ name }) => name)).toEqual(['db5']);
  server.cli('ACL', 'SETUSER', 'blind', 'on', '>b', '~*', '+@all', '-client');
  const blind = await inspect({ dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'blind', dbPassword: 'b' });
  expect(blind.notes).toContain('Who is connected is unknown: the user may not run CLIENT LIST.');
  till.destroy();
});

it('says in a dry run what would stop the restore, and changes nothing', async () => {
  await jobs.restore(source(), result, { targetPath: work.at('files') });
  // Of a restore that was killed long ago: the next one empties it.
  server.feed(`SELECT 3\nSET half 1\nSET backupx:restore:scratch "1700000000 0123456789abcdef"`);
  const till = await sitDown(0, 'till');
  const before = digest();
  const foresee = async (options: object) => {
    const context = {
      ...{ tempDir: work.at('temp'), targetPath: null, paths: null, overwrite: 'always' },
      isDryRun: true,
    };
    const common = { signal: new AbortController().signal, log() {}, problem() {}, progress() {}, options };
    const config = redisSource.config.parse(source().config);
    const session = await redisSource.restore(config, { ...context, ...common } as unknown as RestoreContext);
    for (const entry of entriesOfFolder(work.at('files'))) await session.write(entry);
    return await session.commit();
  };
  await expect(foresee({})).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
  await expect(foresee({ replaceExisting: true })).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  await expect(foresee({ rename: ['0=99'] })).rejects.toMatchObject({ code: 'DATABASE_TOOL_FAILED' });
  await expect(foresee({ rename: ['0=7', '3=7'] })).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
  expect(await foresee({ rename: ['0=7'] })).toMatchObject({ itemsWritten: 1, bytesWritten: 0 });
  // Two of the sixteen numbers are needed until the databases change places.
  const full = [1, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  server.feed(full.map((number) => `SELECT ${number}\nSET theirs 1`).join('\n'));
  await expect(foresee({ rename: ['0=7'] })).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  server.feed(full.map((number) => `SELECT ${number}\nFLUSHDB`).join('\n'));
  expect(digest()).toBe(before);
  till.destroy();
});

it('stops for those who are connected to what it replaces, and ends their sessions when it may', async () => {
  const [elsewhere, till] = [await sitDown(5, 'elsewhere'), await sitDown(0, 'till')];
  const before = digest();
  await expect(jobs.restore(source(), result, { options: { replaceExisting: true } })).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: expect.stringMatching(/db0 is in use: default from 127\.0\.0\.1:\d+ with till \(\d+\)/),
  });
  expect(digest()).toBe(before);
  expect(till.destroyed).toBe(false);
  const gone = once(till, 'close');
  const options = { replaceExisting: true, endSessions: true };
  expect(await jobs.restore(source(), result, { options })).toMatchObject({ status: 'success', problems: [] });
  await gone;
  server.feed('SELECT 5\nFLUSHDB');
  expect(digest()).toBe(whole);
  // Its database is not in the dump.
  elsewhere.write('PING\r\n');
  expect(String((await once(elsewhere, 'data'))[0])).toBe('+PONG\r\n');
  elsewhere.destroy();
});

const relayUntil = (word: string, way: 'lose' | 'stall' | (() => void)): Promise<Relay> =>
  startRelay(server.port, word, way);

it('loses nothing when the server does what it was told and the connection breaks before it can say so', async () => {
  const { port, close } = await relayUntil('EXEC\r\n', 'lose');
  const options = { replaceExisting: true };
  await expect(jobs.restore(source(port), result, { options })).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  close();
  // What was restored is there, and so is what it replaced, under a number that was free.
  expect([server.cli('DBSIZE'), server.cli('-n', '3', 'GET', 'three')]).toEqual(['500', '3']);
  expect([1, 2].map((database) => server.cli('-n', String(database), 'GET', 'mine'))).toContain('1');
});

it('takes nothing from somebody who begins to write where there was nothing', async () => {
  const write = () => server.cli('-n', '7', 'SET', 'late', '1');
  const { port, close } = await relayUntil('RESTORE\r\n', write);
  const options = { rename: ['0=7', '3=8'] };
  await expect(jobs.restore(source(port), result, { options })).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
  close();
  expect(server.cli('INFO', 'keyspace').match(/db\d+:keys=\d+/g)).toEqual(['db0:keys=1', 'db5:keys=1', 'db7:keys=1']);
  expect(server.cli('-n', '7', 'GET', 'late')).toBe('1');
});

it('brings nothing when somebody empties what the backup was copied into, and leaves him what he writes', async () => {
  const before = digest();
  const write = () => server.feed('SELECT 1\nFLUSHDB\nSET theirs 1');
  const { port, close } = await relayUntil('MULTI\r\n', write);
  const options = { replaceExisting: true };
  await expect(jobs.restore(source(port), result, { options })).rejects.toMatchObject({
    code: 'DATABASE_TOOL_FAILED',
    message: expect.stringContaining('somebody has emptied or changed the database'),
  });
  close();
  expect([server.cli('GET', 'mine'), server.cli('-n', '1', 'GET', 'theirs')]).toEqual(['1', '1']);
  server.feed('SELECT 1\nFLUSHDB');
  expect(digest()).toBe(before);
});

it('brings nothing of a restore that took this one for dead, and empties nothing of it', async () => {
  const before = digest();
  // It claimed the number as soon as the mark there was old, and has come as far as its first key.
  const mark = `${Math.trunc(Date.now() / 1000)} 0123456789abcdef`;
  const write = () => {
    server.feed('SELECT 1\nFLUSHDB\nSET theirs 1');
    server.cli('-n', '1', 'SET', 'backupx:restore:scratch', mark);
  };
  const { port, close } = await relayUntil('WATCH\r\n', write);
  const options = { replaceExisting: true };
  await expect(jobs.restore(source(port), result, { options })).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: expect.stringContaining('another restore'),
  });
  close();
  expect([server.cli('GET', 'mine'), server.cli('-n', '1', 'GET', 'theirs')]).toEqual(['1', '1']);
  expect(server.cli('-n', '1', 'GET', 'backupx:restore:scratch')).toBe(mark);
  server.feed('SELECT 1\nFLUSHDB');
  expect(digest()).toBe(before);
});

it('changes nothing for a number that the server does not have', async () => {
  const before = digest();
  const options = { replaceExisting: true, rename: ['3=99'] };
  await expect(jobs.restore(source(), result, { options })).rejects.toMatchObject({
    message: expect.stringMatching(/out of range|invalid DB index/i),
  });
  expect(digest()).toBe(before);
});

it('takes functions back when the databases cannot change places', async () => {
  server.feed(
    `FUNCTION FLUSH\nFUNCTION LOAD "#!lua name=mylib\\nredis.register_function('one', function() return 2 end)"`,
  );
  server.cli('ACL', 'SETUSER', 'poor', 'on', '>p', '~*', '&*', '+@all', '-swapdb');
  const login = { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'poor', dbPassword: 'p', replaceExisting: true };
  await expect(jobs.restore(source(), result, { options: login })).rejects.toMatchObject({
    code: 'DATABASE_PERMISSION',
  });
  expect(server.cli('FCALL', 'one', '0')).toBe('2');
  expect([server.cli('GET', 'mine'), server.cli('INFO', 'keyspace').match(/db\d+/g)]).toEqual(['1', ['db0', 'db5']]);
});

it('stops when a cache throws keys out to make room for the copy', async () => {
  const args = ['--maxmemory', '6mb', '--maxmemory-policy', 'allkeys-random', '--maxmemory-samples', '1'];
  const cache = await startRedis({ folder: work.at('cache'), args });
  try {
    server.feed('FLUSHALL\nDEBUG POPULATE 5000 large 1000');
    const large = await jobs.backup(source());
    await expect(jobs.restore(source(), large, { options: { dbHost: cache.socket } })).rejects.toMatchObject({
      code: 'DATABASE_TOOL_FAILED',
    });
    expect(cache.cli('INFO', 'keyspace')).not.toMatch(/db\d+:/);
  } finally {
    await cache.stop('SIGKILL');
  }
});

it.skipIf(!mayMount)(
  'leaves what is there when the disk of a stopped server is full, and no file in a folder (needs root)',
  async () => {
    server.feed('SELECT 9\nDEBUG POPULATE 2000 many 200');
    const large = await jobs.backup(source());
    const folder = work.at('small');
    await besideSmallDisk(folder, '48k', async () => {
      const dumpPath = path.join(folder, 'dump.rdb');
      writeFileSync(dumpPath, 'old');
      const failure = { code: 'RESTORE_TARGET_INVALID', message: expect.stringContaining('ENOSPC') };
      const options = { dumpPath, replaceExisting: true };
      await expect(jobs.restore(source(), large, { options })).rejects.toMatchObject(failure);
      expect([readdirSync(folder), readFileSync(dumpPath, 'utf8')]).toEqual([['dump.rdb'], 'old']);
      await expect(jobs.restore(source(), large, { targetPath: folder })).rejects.toMatchObject(failure);
      expect(readdirSync(folder)).toEqual(['dump.rdb']);
    });
  },
);

/** A restore over what is there that stands still at a word; `stop` cancels it, and answers how it ended. */
async function stallAt(word: string): Promise<{ stop(): Promise<unknown> }> {
  const { port, said, close } = await relayUntil(word, 'stall');
  // Short: a path of a socket is below it.
  const engine = createEngine({ tempDir: work.at('stop') });
  const stop = new AbortController();
  const job: RunRestoreJob = {
    ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'cancelled', source: source(port) },
    ...{ artifact: jobs.artifactOf(result), targetPath: null, paths: null, overwrite: 'always' },
    options: { replaceExisting: true },
  };
  const running = engine.run(job, { signal: stop.signal, reporter: silentReporter }).catch((error) => error.code);
  // An end before that shows what it is.
  expect(await Promise.race([said.then(() => 'stalled'), running])).toBe('stalled');
  return {
    async stop() {
      stop.abort();
      const outcome = await running;
      await engine.close(10_000);
      close();
      return outcome;
    },
  };
}

it('takes everything back when a restore is cancelled while it copies', async () => {
  const before = digest();
  const { stop } = await stallAt('RESTORE\r\n');
  expect(server.cli('INFO', 'keyspace').match(/db\d+/g)).toContain('db1');
  expect(await stop()).toBe('CANCELLED');
  expect(digest()).toBe(before);
  expect(execFileSync('ps', ['-eo', 'args']).toString()).not.toContain(work.at('stop'));
});

it('leaves a mark on what it has replaced until that is gone, by which the next restore knows it', async () => {
  const { stop } = await stallAt('FLUSHDB\r\n');
  const mark = 'backupx:restore:replaced';
  // Were it killed here, the server would stay as it is now.
  expect([server.cli('DBSIZE'), server.cli('-n', '3', 'GET', 'three')]).toEqual(['500', '3']);
  expect(server.cli('-n', '1', 'GET', 'mine')).toBe('1');
  const owner = server.cli('-n', '1', 'GET', mark).split(' ')[1];
  expect(['0', '3', '1', '2'].map((database) => server.cli('-n', database, 'EXISTS', mark))).toEqual([
    '0',
    '0',
    '1',
    '1',
  ]);
  await stop();
  const { databases, notes } = await inspect({ replaceExisting: true });
  expect(databases.map(({ name }) => name)).toEqual(['db0', 'db3', 'db5']);
  expect(notes).toContainEqual(expect.stringMatching(/^Database 1 holds what a restore has replaced/));
  // Ten minutes pass.
  for (const database of ['1', '2']) server.cli('-n', database, 'SET', mark, `1700000000 ${owner}`);
  const options = { replaceExisting: true };
  expect(await jobs.restore(source(), result, { options })).toMatchObject({ status: 'success', problems: [] });
  server.feed('SELECT 5\nFLUSHDB');
  expect(digest()).toBe(whole);
});

it('empties nothing that a restore holds which it took for dead', async () => {
  const mark = 'backupx:restore:scratch';
  server.feed(`SELECT 9\nSET half 1\nSET ${mark} "1700000000 0123456789abcdef"`);
  // It wakes up in the very moment.
  const renew = () => server.cli('-n', '9', 'SET', mark, `${Math.trunc(Date.now() / 1000)} 0123456789abcdef`);
  const { port, close } = await relayUntil('FLUSHDB\r\n', renew);
  const options = { replaceExisting: true };
  expect(await jobs.restore(source(port), result, { options })).toMatchObject({ status: 'success', problems: [] });
  close();
  expect([server.cli('-n', '9', 'GET', 'half'), server.cli('-n', '9', 'DBSIZE')]).toEqual(['1', '2']);
  server.feed('SELECT 9\nFLUSHDB\nSELECT 5\nFLUSHDB');
  expect(digest()).toBe(whole);
});

it('names what somebody wrote into an empty database in the last moment, and keeps it, after a kill as well', async () => {
  // Of one that was killed long ago.
  server.feed(`FUNCTION FLUSH\nSELECT 9\nSET theirs 1\nSET backupx:restore:late "1700000000 0123456789abcdef"`);
  server.feed(`SELECT 10\nSET backupx:restore:late "1700000000 0123456789abcdef"`);
  const write = () => server.cli('-n', '7', 'SET', 'late', '1');
  const { port, close } = await relayUntil('SWAPDB\r\n', write);
  const options = { rename: ['0=7', '3=8'] };
  const { problems } = await jobs.restore(source(port), result, { options });
  close();
  const message = (database: number) => ({
    message: expect.stringMatching(new RegExp(`lies in database ${database}$`)),
  });
  expect(problems).toMatchObject([message(9), message(1)]);
  expect([server.cli('-n', '7', 'DBSIZE'), server.cli('-n', '8', 'GET', 'three')]).toEqual(['500', '3']);
  expect(server.cli('INFO', 'keyspace').match(/db\d+:keys=\d+/g)).toEqual(
    ['0', '1', '5', '7', '8', '9'].map((database) => `db${database}:keys=${database === '7' ? 500 : 1}`),
  );
});
