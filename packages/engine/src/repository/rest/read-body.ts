/** The bytes of a file or a part of it. */
import type http from 'node:http';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { cancelledError } from '../../ports/pull-body.ts';
import type { ByteRange } from '../../ports/storage.ts';
import { patiently } from './patience.ts';
import type { OpenRequest } from './rest-connection.ts';

const MAX_FRUITLESS_ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;

/**
 * Reads on where a broken connection stopped, since files never change. Gives up after some attempts in a row that
 * brought nothing; whether to try again before the first byte is left to the caller.
 */
export async function* readResuming(
  range: ByteRange | undefined,
  signal: AbortSignal,
  open: (range: ByteRange) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const start = range?.start ?? 0;
  let at = start;
  for (let fruitless = 0; at !== range?.end; ) {
    try {
      for await (const chunk of open({ ...range, start: at })) {
        at += chunk.byteLength;
        fruitless = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      const mayGoOn = at > start && error instanceof AppError && error.retryable && fruitless < MAX_FRUITLESS_ATTEMPTS;
      if (!mayGoOn) throw error;
      await systemClock.sleep(FIRST_DELAY_MS * 2 ** fruitless, signal).catch(() => {
        throw cancelledError(signal);
      });
      fruitless += 1;
    }
  }
}

export function rangeHeader(range: ByteRange | undefined): Record<string, string> {
  return { range: `bytes=${range?.start ?? 0}-${range?.end === undefined ? '' : range.end - 1}` };
}

/** Yields the bytes of the range, whether the server answers just these or the whole file. */
export async function* readBody(
  { patience }: OpenRequest,
  answer: http.IncomingMessage,
  range: ByteRange | undefined,
): AsyncGenerator<Uint8Array> {
  const isWhole = answer.statusCode === 200;
  let toSkip = isWhole ? (range?.start ?? 0) : 0;
  let wanted = range?.end === undefined ? Number.POSITIVE_INFINITY : range.end - range.start;
  for await (const chunk of patiently<Uint8Array>(patience, answer)) {
    const bytes = chunk.subarray(Math.min(toSkip, chunk.byteLength)).subarray(0, wanted);
    toSkip = Math.max(0, toSkip - chunk.byteLength);
    wanted -= bytes.byteLength;
    if (bytes.byteLength > 0) yield bytes;
    if (isWhole && wanted <= 0) return;
  }
}
