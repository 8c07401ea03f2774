/** Restores over databases of a running server: who is connected, and a connection that breaks at the worst moment. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { DriverSettings, InspectTargetResult, RunBackupResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../servers/redis.ts';
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

/** A relay that loses the answer to this word, and the connection with it. */
async function loseAnswerTo(word: string): Promise<{ port: number; relay: Server }> {
  const relay = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1');
    sockets.push(client, upstream);
    let isLost = false;
    for (const socket of [client, upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.on('data', (chunk) => {
      isLost ||= chunk.includes(word);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => (isLost ? client.destroy() : client.write(chunk)));
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return { port: (relay.address() as { port: number }).port, relay };
}

it('loses nothing when the server does what it was told and the connection breaks before it can say so', async () => {
  const { port, relay } = await loseAnswerTo('EXEC\r\n');
  const options = { replaceExisting: true };
  await expect(jobs.restore(source(port), result, { options })).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  relay.close();
  // What was restored is there, and so is what it replaced, under a number that was free.
  expect([server.cli('DBSIZE'), server.cli('-n', '3', 'GET', 'three')]).toEqual(['500', '3']);
  expect([1, 2].map((database) => server.cli('-n', String(database), 'GET', 'mine'))).toContain('1');
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
