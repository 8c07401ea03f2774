import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sendDownload } from './send-download.ts';

const about = { fileName: 'x.tar', contentType: 'application/x-tar' };

let server: FastifyInstance;
let isClosed: boolean;
let ended: Promise<void>;

/** Never ends by itself. */
async function* endless(): AsyncGenerator<Uint8Array> {
  try {
    for (;;) yield Buffer.alloc(64 * 1024);
  } finally {
    isClosed = true;
  }
}

beforeEach(async () => {
  isClosed = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  ended = promise;
  server = Fastify();
  server.get('/', async (_request, reply) => {
    await sendDownload(reply, endless(), { ...about, silenceMs: 300 });
    resolve();
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => server.close());

it('closes what it reads from for a reader who leaves before the first piece', async () => {
  const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* whenNobodyListens(left: Promise<unknown>): AsyncGenerator<Uint8Array> {
    try {
      asked.resolve();
      await left;
      for (;;) yield Buffer.alloc(1000);
    } finally {
      closed.resolve();
    }
  }
  const other = Fastify();
  other.get('/', (_request, reply) => sendDownload(reply, whenNobodyListens(once(reply.raw, 'close')), about));
  await other.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((other.server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await asked.promise;
  socket.destroy();
  await closed.promise;
  await other.close();
});

it('ends when the reader takes nothing any more and does not hang up', async () => {
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await ended;
  expect(isClosed).toBe(true);
  socket.destroy();
});
