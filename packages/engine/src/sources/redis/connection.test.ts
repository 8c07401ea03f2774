import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { redisConfigSchema } from './config.ts';
import { RedisConnection } from './connection.ts';
import { replicate } from './replication.ts';
import { encodeCommand, RedisRefusal } from './resp.ts';
import { parseInfo } from './server-facts.ts';

let server: Server | null = null;
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

/** Behind an answer: the server ends then. Null: it does when it is asked. */
const END = Symbol('end');

/** A server that answers each command with the next of these texts, byte by byte if need be. */
async function serve(answers: readonly (string | Buffer | typeof END | null)[], chunkBytes = 1000) {
  let next = 0;
  const answer = async (socket: Socket) => {
    const bytes = Buffer.from((answers[next++] ?? '') as string);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      socket.write(bytes.subarray(at, at + chunkBytes));
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (bytes.length === 0 || answers[next] === END) socket.end();
  };
  server = createServer((socket) => {
    sockets.push(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', async (chunk) => {
      // Commands begin with their number of words.
      const commands = chunk.toString('latin1').match(/\*\d+\r\n/g)?.length ?? 0;
      for (let count = 0; count < commands && !socket.writableEnded; count += 1) await answer(socket);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = redisConfigSchema.parse({ dbPort: port });
  return await RedisConnection.open(config, new AbortController().signal);
}

describe('a connection', () => {
  it('reads every kind of reply, in whatever pieces it comes', async () => {
    const nested = '*4\r\n$3\r\na\r\n\r\n:-5\r\n*-1\r\n*1\r\n$-1\r\n';
    const connection = await serve(['+PONG\r\n', '+fine\r\n', '-ERR no\r\n', nested, '$0\r\n\r\n', '*0\r\n', null], 1);
    expect(await connection.ask('X')).toBe('fine');
    const refusal = await connection.ask('X');
    expect(refusal).toBeInstanceOf(RedisRefusal);
    expect((refusal as RedisRefusal).code).toBe('ERR');
    expect(await connection.ask('X')).toEqual([Buffer.from('a\r\n'), -5, null, [null]]);
    expect(await connection.ask('X')).toEqual(Buffer.alloc(0));
    expect(await connection.ask('X')).toEqual([]);
    await expect(connection.ask('X')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    connection.close();
  });

  it('waits for nobody once it is broken, whenever that was, or when what it sends is not taken', async () => {
    const broken = await serve(['+PONG\r\n']);
    sockets[0]?.resetAndDestroy();
    // The system has told us.
    await vi.waitFor(() => expect(broken.isOpen).toBe(false), { timeout: 10_000 });
    await broken.sendAll([['SET', 'a', 'b']]);
    await expect(broken.reply()).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    broken.close();
    server?.close();
    const stuck = await serve(['+PONG\r\n']);
    sockets.at(-1)?.pause();
    stuck.stream.idleSeconds = 0.2;
    await stuck.sendAll([['SET', 'a', Buffer.alloc(32 * 1024 * 1024)]]);
    await expect(stuck.reply()).rejects.toMatchObject({ code: 'TIMEOUT' });
    stuck.close();
  });

  it('sends words as bytes with their length', () => {
    expect(encodeCommand(['SET', 'é', Buffer.from([0xff, 0])]).toString('latin1')).toBe(
      '*3\r\n$3\r\nSET\r\n$2\r\n\u00c3\u00a9\r\n$2\r\n\u00ff\u0000\r\n',
    );
  });

  it.each([
    ['-WRONGPASS invalid username-password pair', 'DATABASE_AUTH'],
    ['-NOAUTH Authentication required.', 'DATABASE_AUTH'],
    ['-ERR AUTH <password> called without any password configured', 'DATABASE_AUTH'],
    ['-DENIED Redis is running in protected mode', 'DATABASE_AUTH'],
    ["-NOPERM this user has no permissions to run the 'ping' command", 'DATABASE_PERMISSION'],
    ['-LOADING Redis is loading the dataset in memory', 'DATABASE_UNREACHABLE'],
    ['-ERR max number of clients reached', 'DATABASE_TOOL_FAILED'],
    ['HTTP/1.1 400 Bad Request', 'DATABASE_UNREACHABLE'],
  ])('says what "%s" means', async (answer, code) => {
    await expect(serve([`${answer}\r\n`])).rejects.toMatchObject({ code });
  });
});

describe('the stream of a replica', () => {
  const dump = Buffer.from(Array.from({ length: 500 }, (_, index) => index % 251));
  const mark = 'm'.repeat(40);
  const read = async (connection: RedisConnection) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of replicate(connection, 'test')) chunks.push(Uint8Array.from(chunk));
    connection.close();
    return Buffer.concat(chunks);
  };
  const no = '-ERR Unrecognized REPLCONF option\r\n';

  it.each([1, 7, 39, 40, 41, 64, 1000])(
    'comes with its size or with a mark at the end, in pieces of %i',
    async (size) => {
      const sized = Buffer.concat([Buffer.from(`\n\n$${dump.length}\r\n`), dump]);
      expect(await read(await serve(['+PONG\r\n', '+OK\r\n', no, sized], size))).toEqual(dump);
      const marked = Buffer.concat([Buffer.from(`\n$EOF:${mark}\r\n`), dump, Buffer.from(mark)]);
      expect(await read(await serve(['+PONG\r\n', '+OK\r\n', '+OK\r\n', marked], size))).toEqual(dump);
      const psync = Buffer.concat([Buffer.from(`+FULLRESYNC ${'a'.repeat(40)} 14\r\n`), marked]);
      expect(await read(await serve(['+PONG\r\n', no, no, '-NOPERM no sync\r\n', psync], size))).toEqual(dump);
    },
  );

  it('is not whole when it ends early, and is said to be forbidden', async () => {
    const half = Buffer.concat([Buffer.from(`$${dump.length}\r\n`), dump.subarray(0, 100)]);
    const ended = await serve(['+PONG\r\n', no, no, half, END]);
    await expect(read(ended)).rejects.toMatchObject({ code: 'DATABASE_DUMP_INCOMPLETE' });
    const unknown = '-ERR unknown command\r\n';
    await expect(read(await serve(['+PONG\r\n', no, no, unknown, unknown]))).rejects.toMatchObject({
      code: 'DATABASE_PERMISSION',
    });
    const down = "-NOMASTERLINK Can't SYNC while not connected with my master\r\n";
    await expect(read(await serve(['+PONG\r\n', no, no, down]))).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    });
  });
});

describe('what a server says of itself', () => {
  it('is read for both products', () => {
    const redis = parseInfo(
      '# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\nrole:slave\r\nmaster_link_status:down\r\nevicted_keys:4\r\ndb0:keys=5,expires=1\r\n',
    );
    expect(redis).toEqual({
      ...{ server: 'Redis 7.0.15', version: [7, 0, 15], isCluster: true, isReplica: true, isLinkDown: true },
      evictedKeys: 4,
      keys: new Map([[0, 5]]),
    });
    expect(parseInfo('redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n')).toMatchObject({
      server: 'Valkey 8.1.0',
      isCluster: false,
    });
  });
});
