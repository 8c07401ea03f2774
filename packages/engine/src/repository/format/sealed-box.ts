/**
 * Sealing of bytes as restic does it (internal/crypto/crypto.go): `IV[16] ‖ AES-256-CTR(plain) ‖ tag[16]`. The whole IV
 * is the first counter block. The tag is Poly1305-AES over the ciphertext alone: its key is `r ‖ AES-128_k(IV)`.
 *
 * IVs are random and drawn in bulk, together with their one-time keys. A counter that ran on from one blob to the next
 * would save that work, but then anyone could find the ends of the blobs in a pack by looking for the next IV.
 */
import { type Cipheriv, createCipheriv, randomFillSync, timingSafeEqual } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { createPoly1305 } from '../wasm/poly1305.ts';
import { KeyStream } from './key-stream.ts';
import type { MasterKey } from './master-key.ts';

const IV_BYTES = 16;
const TAG_BYTES = 16;
/** Bytes that sealing adds. */
export const SEAL_OVERHEAD = IV_BYTES + TAG_BYTES;
/** IVs drawn at once. */
const IVS_AT_ONCE = 256;

/** Not re-entrant and bound to its thread, like everything with state of its own; make one per thread. */
export interface SealedBox {
  /** IV, ciphertext and tag of `plain`, in a buffer of their own. */
  seal(plain: Uint8Array): Buffer;
  /** Seals into `target` from `at` on and answers the bytes written. `plain` may lie exactly at `at + 16`, else apart from them. */
  sealInto(plain: Uint8Array, target: Uint8Array, at: number): number;
  /** What was sealed. Throws REPOSITORY_DAMAGED when it is too short or not authentic. */
  open(sealed: Uint8Array): Buffer;
  /** The same into the beginning of `target`, which must not overlap and be long enough; answers the bytes written. */
  openInto(sealed: Uint8Array, target: Uint8Array): number;
}

/** A box that seals and opens with `key`. */
export function createSealedBox(key: MasterKey): SealedBox {
  return new PolyAesBox(key);
}

class PolyAesBox implements SealedBox {
  readonly #macR: Uint8Array;
  readonly #keyStream: KeyStream;
  readonly #poly = createPoly1305();
  /** ECB has no state between blocks, so one cipher serves for ever. */
  readonly #nonceCipher: Cipheriv;
  readonly #ivs = Buffer.alloc(IVS_AT_ONCE * IV_BYTES);
  #oneTimeKeys = Buffer.alloc(0);
  #nextIv = IVS_AT_ONCE;
  readonly #tag = new Uint8Array(TAG_BYTES);
  readonly #givenTag = new Uint8Array(TAG_BYTES);

  constructor(key: MasterKey) {
    this.#macR = key.macR;
    this.#keyStream = new KeyStream(key.encrypt);
    this.#nonceCipher = createCipheriv('aes-128-ecb', key.macK, null).setAutoPadding(false);
  }

  seal(plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.byteLength + SEAL_OVERHEAD);
    this.sealInto(plain, sealed, 0);
    return sealed;
  }

  sealInto(plain: Uint8Array, target: Uint8Array, at: number): number {
    if (this.#nextIv === IVS_AT_ONCE) this.#drawIvs();
    const from = this.#nextIv * IV_BYTES;
    this.#nextIv += 1;
    const iv = this.#ivs.subarray(from, from + IV_BYTES);
    const bodyAt = at + IV_BYTES;
    const tagAt = bodyAt + plain.byteLength;
    target.set(iv, at);
    const body = target.subarray(bodyAt, tagAt);
    this.#keyStream.apply(iv, plain, body);
    this.#poly.mac(this.#macR, this.#oneTimeKeys.subarray(from, from + IV_BYTES), body, this.#tag);
    target.set(this.#tag, tagAt);
    return plain.byteLength + SEAL_OVERHEAD;
  }

  open(sealed: Uint8Array): Buffer {
    this.#assertAuthentic(sealed);
    return this.#keyStream.applied(sealed.subarray(0, IV_BYTES), sealed.subarray(IV_BYTES, -TAG_BYTES));
  }

  openInto(sealed: Uint8Array, target: Uint8Array): number {
    this.#assertAuthentic(sealed);
    const length = sealed.byteLength - SEAL_OVERHEAD;
    const body = sealed.subarray(IV_BYTES, -TAG_BYTES);
    this.#keyStream.apply(sealed.subarray(0, IV_BYTES), body, target.subarray(0, length));
    return length;
  }

  #assertAuthentic(sealed: Uint8Array): void {
    if (sealed.byteLength < SEAL_OVERHEAD) {
      throw new AppError('REPOSITORY_DAMAGED', { reason: `${sealed.byteLength} sealed bytes are too few` });
    }
    const iv = sealed.subarray(0, IV_BYTES);
    this.#poly.mac(this.#macR, this.#nonceCipher.update(iv), sealed.subarray(IV_BYTES, -TAG_BYTES), this.#tag);
    // A copy, since the comparison refuses views on shared memory.
    this.#givenTag.set(sealed.subarray(-TAG_BYTES));
    if (isZero(iv) || !timingSafeEqual(this.#tag, this.#givenTag)) {
      throw new AppError('REPOSITORY_DAMAGED', { reason: 'sealed bytes are not what was stored' });
    }
  }

  #drawIvs(): void {
    do randomFillSync(this.#ivs);
    while (hasZeroIv(this.#ivs));
    this.#oneTimeKeys = this.#nonceCipher.update(this.#ivs);
    this.#nextIv = 0;
  }
}

/** An IV of zeros means "never set" to restic, which refuses it. */
function isZero(iv: Uint8Array): boolean {
  for (let at = 0; at < IV_BYTES; at += 1) if (iv[at] !== 0) return false;
  return true;
}

function hasZeroIv(ivs: Uint8Array): boolean {
  for (let at = 0; at < ivs.byteLength; at += IV_BYTES) if (isZero(ivs.subarray(at, at + IV_BYTES))) return true;
  return false;
}
