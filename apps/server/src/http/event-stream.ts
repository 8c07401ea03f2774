/**
 * Server-sent events: one long answer per listener. A heartbeat comment every 15 s keeps proxies from closing it, a
 * client that does not read is dropped instead of buffered for, and all streams end when the server stops.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface StreamedEvent {
  /** Comes back as `Last-Event-ID` after a reconnect. */
  readonly id?: string | number;
  /** Name of the event; without it the browser's `onmessage` gets it. */
  readonly event?: string;
  /** Sent as JSON. */
  readonly data: unknown;
}

export interface EventStream {
  /** Answers false when the stream is closed (also when the client was too slow). Never throws. */
  send(event: StreamedEvent): boolean;
  /** Ends the stream after what was sent; idempotent. */
  close(): void;
  /** Aborted when the stream ends for whatever reason: client gone, too slow, `close()`, server stops. */
  readonly signal: AbortSignal;
}

export interface EventStreamOptions {
  readonly heartbeatMs?: number;
  /** Bytes that may wait for a client before it is dropped. */
  readonly maxBufferedBytes?: number;
}

const HEARTBEAT_MS = 15_000;
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** What browsers wait before they reconnect. */
const RETRY_MS = 2_000;

declare module 'fastify' {
  interface FastifyInstance {
    /** Event streams that are open now. */
    openEventStreams: Set<EventStream>;
  }
}

/** Call once on the root instance, before routes are bound. */
export function installEventStreams(fastify: FastifyInstance): void {
  const open = new Set<EventStream>();
  fastify.decorate('openEventStreams', open);
  // `preClose` runs before the server waits for its connections to end.
  fastify.addHook('preClose', async () => {
    for (const stream of [...open]) stream.close();
  });
}

function format(event: StreamedEvent): string {
  const lines: string[] = [];
  if (event.id !== undefined) lines.push(`id: ${event.id}`);
  if (event.event) lines.push(`event: ${event.event}`);
  lines.push(`data: ${JSON.stringify(event.data)}`);
  return `${lines.join('\n')}\n\n`;
}

/** Turns the reply into an event stream; the handler must not answer otherwise afterwards. */
export function openEventStream(reply: FastifyReply, options: EventStreamOptions = {}): EventStream {
  const maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES;
  const open = reply.server.openEventStreams;
  const ended = new AbortController();
  const headers = {
    ...reply.getHeaders(),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    connection: 'keep-alive',
    'x-accel-buffering': 'no',
  };
  reply.hijack();
  const raw = reply.raw;

  const finish = () => {
    if (ended.signal.aborted) return;
    clearInterval(heartbeat);
    open.delete(stream);
    ended.abort();
  };
  const write = (text: string): boolean => {
    if (ended.signal.aborted) return false;
    raw.write(text);
    if (raw.writableLength <= maxBufferedBytes) return true;
    raw.destroy();
    finish();
    return false;
  };
  const stream: EventStream = {
    send: (event) => write(format(event)),
    close() {
      if (ended.signal.aborted) return;
      raw.end();
      finish();
    },
    signal: ended.signal,
  };
  const heartbeat = setInterval(() => write(': heartbeat\n\n'), options.heartbeatMs ?? HEARTBEAT_MS);
  heartbeat.unref();
  raw.on('close', finish);
  raw.on('error', finish);
  raw.writeHead(200, headers as Record<string, string>);
  open.add(stream);
  write(`retry: ${RETRY_MS}\n\n`);
  return stream;
}
