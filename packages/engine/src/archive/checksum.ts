/** A tap in a stream: passes every chunk on untouched and keeps count and SHA-256 of what passed. */
import { createHash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';

export interface StreamDigest {
  /** SHA-256 of all bytes, lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/**
 * Iterate it once, to the end, instead of the body; then ask `digest()`.
 * `bytesSoFar` may be read at any time, for progress.
 */
export interface ChecksumTap extends AsyncIterable<Uint8Array> {
  readonly bytesSoFar: number;
  /** Throws INTERNAL while the stream has not been read to its end: half a checksum proves nothing. */
  digest(): StreamDigest;
}

/** Wraps `body` in a tap. */
export function countAndHash(body: AsyncIterable<Uint8Array>): ChecksumTap {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let result: StreamDigest | null = null;

  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
    result = { sha256: hash.digest('hex'), sizeBytes };
  }

  const stream = pass();
  return {
    [Symbol.asyncIterator]: () => stream,
    get bytesSoFar() {
      return sizeBytes;
    },
    digest() {
      if (!result)
        throw new AppError('INTERNAL', {}, { cause: new Error('checksum asked before the end of the stream') });
      return result;
    },
  };
}
