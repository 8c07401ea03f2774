import type { ByteRange, Storage } from '../ports/storage.ts';

/** The largest pack or file that is read into memory at once, in bytes: more than any program writes. */
const MAX_GUESS_BYTES = 64 * 1024 * 1024;

/** An object, or a range of it, as one buffer of its own. Throws what the storage throws. */
export async function readObject(
  storage: Storage,
  key: string,
  options: { readonly signal: AbortSignal; readonly range?: ByteRange },
): Promise<Buffer> {
  const { range } = options;
  const expected = range?.end === undefined ? 0 : Math.min(range.end - range.start, MAX_GUESS_BYTES);
  let buffer: Buffer = Buffer.allocUnsafeSlow(Math.max(0, expected));
  let length = 0;
  for await (const chunk of storage.get(key, options)) {
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
