/** Names of blobs and of stored files: SHA-256 sums, 32 bytes in memory, 64 lower-case hex digits in texts. */
import { hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';

/** Length of an id in bytes. */
export const ID_BYTES = 32;

/** Lower-case hex digits of any bytes. */
export function toHex(id: Uint8Array): string {
  return Buffer.prototype.toString.call(id, 'hex');
}

/** The 32 bytes of an id in hex. Throws REPOSITORY_DAMAGED for anything else. */
export function fromHex(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'hex');
  if (bytes.byteLength !== ID_BYTES || text.length !== 2 * ID_BYTES) {
    throw new AppError('REPOSITORY_DAMAGED', { reason: `${JSON.stringify(text.slice(0, 80))} is not an id` });
  }
  return bytes;
}

/** SHA-256 of bytes, which may lie in shared memory. */
export function hashOf(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}
