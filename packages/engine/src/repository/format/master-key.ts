/**
 * The key of a repository: every byte in it is sealed with this one; passwords only open key files that hold it.
 * As text it is base64 of its 64 bytes, encryption key first, then the two halves of the authentication key.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';

export interface MasterKey {
  /** AES-256 key, 32 bytes. */
  readonly encrypt: Uint8Array;
  /** AES-128 key that makes the one-time half of the Poly1305 key out of the nonce, 16 bytes. */
  readonly macK: Uint8Array;
  /** The fixed half of the Poly1305 key, 16 bytes. */
  readonly macR: Uint8Array;
}

const KEY_BYTES = 64;

/** A new random key. */
export function createMasterKey(): MasterKey {
  return splitKey(randomBytes(KEY_BYTES));
}

/** Bits of r that Poly1305 uses (RFC 8439, 2.5). */
const CLAMP = Buffer.from('ffffff0ffcffff0ffcffff0ffcffff0f', 'hex');

/**
 * The parts of 64 key bytes, in restic's order: encrypt, k, r. Bits of r without a meaning are cleared, so that equal
 * keys look equal: old restics clear them when they copy a key into a new key file.
 */
export function splitKey(bytes: Uint8Array): MasterKey {
  const own = Uint8Array.from(bytes, (byte, at) => (at < 48 ? byte : byte & (CLAMP[at - 48] ?? 0)));
  return { encrypt: own.slice(0, 32), macK: own.slice(32, 48), macR: own.slice(48, 64) };
}

/** Base64 of the 64 key bytes. Secret. */
export function packMasterKey(key: MasterKey): string {
  return Buffer.concat([key.encrypt, key.macK, key.macR]).toString('base64');
}

/** The inverse of `packMasterKey`. Throws REPOSITORY_UNSUPPORTED for a text of another length. */
export function unpackMasterKey(text: string): MasterKey {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.byteLength !== KEY_BYTES) {
    throw new AppError('REPOSITORY_UNSUPPORTED', { reason: 'its master key does not have 64 bytes' });
  }
  return splitKey(bytes);
}
