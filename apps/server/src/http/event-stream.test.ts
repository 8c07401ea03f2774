import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEventBus, type EventBus } from '../event-bus.ts';
import { type EventStream, installEventStreams, openEventStream } from './event-stream.ts';

describe('openEventStream', () => {
  let fastify: FastifyInstance;
  let streams: EventStream[];
  let bus: EventBus;

  beforeEach(async () => {
    streams = [];
    bus = createEventBus();
    fastify = Fastify();
    installEventStreams(fastify);
    fastify.get('/stream', (_request, reply) => {
      streams.push(openEventStream(reply, { heartbeatMs: 20, maxBufferedBytes: 64 * 1024 }));
    });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(() => fastify.close());

  const open = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const { port } = fastify.server.address() as AddressInfo;
      get({ port, path: '/stream' }, resolve).on('error', reject);
    });
  const first = (): EventStream => {
    const [stream] = streams;
    if (!stream) throw new Error('no stream was opened');
    return stream;
  };

  it('sends ids and JSON, and a heartbeat while nothing happens', async () => {
    const answer = await open();
    expect(answer.headers['content-type']).toContain('text/event-stream');
    answer.setEncoding('utf8');
    expect(first().send({ id: 7, data: { text: 'a\nb' } })).toBe(true);
    first().send({ event: 'reload', data: {} });
    let text = '';
    for await (const chunk of answer) {
      text += chunk;
      if (text.includes(': heartbeat')) break;
    }
    expect(text).toContain('id: 7\ndata: {"text":"a\\nb"}\n\n');
    expect(text).toContain('event: reload\ndata: {}\n\n');
  });

  it('drops a client that does not read', async () => {
    const answer = await open();
    answer.on('error', () => {});
    answer.pause();
    let sent = 0;
    while (first().send({ data: 'x'.repeat(16 * 1024) }) && sent < 10_000) sent += 1;
    expect(sent).toBeLessThan(10_000);
    expect(first().signal.aborted).toBe(true);
    expect(first().send({ data: 1 })).toBe(false);
    answer.destroy();
  });

  it('ends with its client and with the server', async () => {
    const one = await open();
    await open();
    one.destroy();
    await expect.poll(() => first().signal.aborted).toBe(true);
    expect(fastify.openEventStreams.size).toBe(1);
    await fastify.close();
    expect(streams.every((stream) => stream.signal.aborted)).toBe(true);
  });

  it('event ids tell a gap from what can be replayed', () => {
    bus.publish({ type: 'task_changed', taskId: 1 });
    bus.publish({ type: 'task_changed', taskId: 2 });
    expect(bus.since(1)?.map((stamped) => stamped.id)).toEqual([2]);
    expect(bus.since(2)).toEqual([]);
    expect(createEventBus(5_000).since(2)).toBeNull();
    expect(bus.since(99)).toBeNull();
  });
});
