import { writeSync } from 'node:fs';

/** Zeros become a hole from this many on. */
const HOLE_BYTES = 64 * 1024;
const zeros = Buffer.alloc(HOLE_BYTES);

/** Writes everything at `position`; answers where it ends. */
export function writeAll(descriptor: number, bytes: Uint8Array, position: number): number {
  for (let at = 0; at < bytes.byteLength; ) {
    at += writeSync(descriptor, bytes, at, bytes.byteLength - at, position + at);
  }
  return position + bytes.byteLength;
}

/** Writes what lies between long runs of zeros, into a file that has none but zeros there; answers where the last ends. */
export function writeData(descriptor: number, bytes: Uint8Array, position: number): number {
  if (bytes.byteLength < HOLE_BYTES) return writeAll(descriptor, bytes, position);
  let from = 0;
  let end = 0;
  for (let at = 0; at < bytes.byteLength; at += HOLE_BYTES) {
    if (!isZero(bytes, at, Math.min(HOLE_BYTES, bytes.byteLength - at))) continue;
    if (at > from) end = writeAll(descriptor, bytes.subarray(from, at), position + from);
    from = at + HOLE_BYTES;
  }
  if (from < bytes.byteLength) end = writeAll(descriptor, bytes.subarray(from), position + from);
  return end;
}

/** The first bytes tell nearly always. */
function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  if (bytes[at] !== 0 || bytes[at + length - 1] !== 0) return false;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
  return zeros.compare(block, 0, length, 0, length) === 0;
}
