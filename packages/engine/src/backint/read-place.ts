/**
 * Data of the database: a named pipe it made, or a file. Pipes are read without blocking, so that dozens of them that wait
 * do not hold the threads that compress.
 */
import { closeSync, constants, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { type Clock, systemClock } from '../ports/clock.ts';
import { cancelledError } from '../ports/pull-body.ts';
import { openPatiently } from './open-patiently.ts';

const CHUNK_BYTES = 512 * 1024;

export interface PlaceOptions {
  readonly signal: AbortSignal;
  /** How long a pipe may not exist, or have nobody at its other end. */
  readonly openTimeoutMs: number;
  readonly clock?: Clock;
}

/** Reads a pipe until its writer closes it, or a file. Throws what the system says, CANCELLED. */
export async function* readPlace(path: string, options: PlaceOptions): AsyncGenerator<Uint8Array> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = await openPatiently(() => openSync(path, flags), path, options);
  const stats = fstatSync(fd);
  if (stats.isFIFO()) {
    yield* readPipe(fd, path, options);
  } else if (stats.isFile()) {
    yield* createReadStream('', { fd, highWaterMark: CHUNK_BYTES, signal: options.signal });
  } else {
    closeSync(fd);
    throw new Error(`${path} is neither a pipe nor a file`);
  }
}

async function* readPipe(fd: number, path: string, options: PlaceOptions): AsyncGenerator<Uint8Array> {
  const socket = new Socket({ fd, readable: true, writable: false });
  const onAbort = () => socket.destroy(cancelledError(options.signal));
  const done = new AbortController();
  try {
    options.signal.addEventListener('abort', onAbort, { once: true });
    if (options.signal.aborted) onAbort();
    const { clock = systemClock } = options;
    clock.sleep(options.openTimeoutMs, done.signal).then(
      () => {
        if (socket.bytesRead === 0 && !hasWriter(socket, fd)) socket.destroy(neverOpened(path));
      },
      () => {},
    );
    yield* socket;
  } finally {
    done.abort();
    options.signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

/** A pipe that nobody opened ends at once; one that waits for its writer says "try again". */
function hasWriter(socket: Socket, fd: number): boolean {
  if (socket.readableEnded || socket.destroyed) return true;
  const first = Buffer.alloc(1);
  try {
    if (readSync(fd, first) === 0) return false;
    socket.unshift(first);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN';
  }
}

function neverOpened(path: string): Error {
  return new Error(`nobody opened ${path} for writing`);
}
