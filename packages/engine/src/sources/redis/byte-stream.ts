/** Bytes of a socket, pulled: what is not asked for stays in the socket, and the server waits. */
import type { Socket } from 'node:net';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';

const LINE_END = 10;
/** Longer lines are none of Redis. */
const MAX_LINE_BYTES = 64 * 1024;

/** The server ended the connection. */
export class ConnectionEnded extends Error {
  constructor() {
    super('the server ended the connection');
  }
}

/** Without its end. */
function textOfLine(line: Uint8Array): string {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  return text.slice(0, text.endsWith('\r\n') ? -2 : -1);
}

/** See above. One reader at a time. Every read throws ConnectionEnded, TIMEOUT, and what the socket was ended with. */
export class ByteStream {
  readonly #socket: Socket;
  #rest: Uint8Array = new Uint8Array(0);
  /** Seconds without a byte after which a read gives up. */
  idleSeconds: number;

  constructor(socket: Socket, idleSeconds: number) {
    this.#socket = socket;
    this.idleSeconds = idleSeconds;
  }

  /** Whatever is there next, at least one byte. */
  async chunk(maxBytes = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    if (this.#rest.byteLength === 0) this.#rest = await this.#next();
    return this.#take(maxBytes);
  }

  /** Exactly so many bytes, in memory of their own. */
  async bytes(count: number): Promise<Buffer> {
    const whole = Buffer.allocUnsafe(count);
    for (let done = 0; done < count; ) {
      const chunk = await this.chunk(count - done);
      whole.set(chunk, done);
      done += chunk.byteLength;
    }
    return whole;
  }

  /** Up to the next line end, without it and the carriage return before it. */
  async line(): Promise<string> {
    const parts: Uint8Array[] = [];
    for (let size = 0; size <= MAX_LINE_BYTES; ) {
      if (this.#rest.byteLength === 0) this.#rest = await this.#next();
      const end = this.#rest.indexOf(LINE_END);
      const part = this.#take(end < 0 ? Number.POSITIVE_INFINITY : end + 1);
      if (end >= 0) return textOfLine(parts.length === 0 ? part : Buffer.concat([...parts, part]));
      parts.push(part);
      size += part.byteLength;
    }
    throw new Error('its answer is not of this protocol');
  }

  #take(maxBytes: number): Uint8Array {
    const chunk = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(chunk.byteLength);
    return chunk;
  }

  async #next(): Promise<Uint8Array> {
    for (;;) {
      const chunk = this.#socket.read() as Uint8Array | null;
      if (chunk) return chunk;
      if (this.#socket.errored) throw this.#socket.errored;
      if (this.#socket.readableEnded || this.#socket.destroyed) throw new ConnectionEnded();
      await this.#untilReadable();
    }
  }

  async #untilReadable(): Promise<void> {
    const waiting = new AbortController();
    const events = ['readable', 'end', 'close'] as const;
    const onEvent = () => waiting.abort();
    for (const event of events) this.#socket.on(event, onEvent);
    try {
      await systemClock.sleep(this.idleSeconds * 1000, waiting.signal);
    } catch {
      return;
    } finally {
      for (const event of events) this.#socket.off(event, onEvent);
    }
    throw new AppError('TIMEOUT', { what: 'An answer of the server', seconds: this.idleSeconds });
  }
}
