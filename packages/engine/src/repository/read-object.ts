import { AppError } from '@backupx/contracts/errors';
import type { ByteRange, Storage } from '../ports/storage.ts';

/** The largest pack or file that is read into memory at once, in bytes: more than any program writes. */
const MAX_GUESS_BYTES = 64 * 1024 * 1024;

const MIB = 1024 * 1024;

/**
 * The largest files that are read, in bytes: many times what any program writes, and little enough for any machine.
 * Lists of paths make snapshots long; the index of other programs may be one file.
 */
export const MAX_FILE_BYTES = { config: MIB, keys: MIB, locks: MIB, snapshots: 256 * MIB, index: 1024 * MIB } as const;

export interface ReadObjectOptions {
  readonly signal: AbortSignal;
  readonly range?: ByteRange;
  /** Left out: whatever there is. */
  readonly maxBytes?: number;
}

/**
 * An object, or a range of it, as one buffer of its own. Throws what the storage throws, and REPOSITORY_DAMAGED, before
 * the rest of it is read, when there is more than `maxBytes`.
 */
export async function readObject(storage: Storage, key: string, options: ReadObjectOptions): Promise<Buffer> {
  const { range, maxBytes = Number.POSITIVE_INFINITY } = options;
  const expected = range?.end === undefined ? 0 : Math.min(range.end - range.start, MAX_GUESS_BYTES);
  let buffer: Buffer = Buffer.allocUnsafeSlow(Math.max(0, expected));
  let length = 0;
  for await (const chunk of storage.get(key, options)) {
    if (length + chunk.byteLength > maxBytes) {
      throw new AppError('REPOSITORY_DAMAGED', {
        reason: `${key} has more than ${maxBytes} bytes, which is no such file`,
      });
    }
    if (length + chunk.byteLength > buffer.byteLength) buffer = grow(buffer, length, length + chunk.byteLength);
    buffer.set(chunk, length);
    length += chunk.byteLength;
  }
  return buffer.subarray(0, length);
}

function grow(buffer: Buffer, used: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(used === 0 ? needed : Math.max(needed, 2 * buffer.byteLength));
  larger.set(buffer.subarray(0, used));
  return larger;
}
