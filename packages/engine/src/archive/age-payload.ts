/** The payload of an age file: the STREAM construction over 64 KiB pieces. Key and nonce are the caller's. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { throwIfCancelled } from '../ports/pull-body.ts';

const CIPHER = 'chacha20-poly1305';
const PIECE_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES;

/** Counts pieces: 11 bytes big endian (48 bits are more than enough), then 1 in the last byte for the final piece. */
class PieceNonce {
  readonly #bytes = Buffer.alloc(12);
  #count = 0;

  next(isLast: boolean): Uint8Array {
    this.#bytes.writeUIntBE(this.#count, 5, 6);
    this.#bytes[11] = isLast ? 1 : 0;
    this.#count += 1;
    return this.#bytes;
  }
}

/**
 * Cuts a stream into pieces of `size`; the last one may be shorter (or empty, when there is nothing at all).
 * `group` holds full pieces in a row so that they go downstream as one chunk.
 */
async function* cutPieces(
  body: AsyncIterable<Uint8Array>,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<{ readonly group: Uint8Array; readonly isLast: boolean }> {
  const carry = new Uint8Array(size);
  let carried = 0;
  for await (const chunk of body) {
    throwIfCancelled(signal);
    let rest = chunk;
    if (carried > 0) {
      const fill = rest.subarray(0, size - carried);
      carry.set(fill, carried);
      carried += fill.byteLength;
      rest = rest.subarray(fill.byteLength);
    }
    // A full piece is handed on only when more follows: the last piece is sealed with another flag.
    if (rest.byteLength === 0) continue;
    if (carried === size) {
      yield { group: carry, isLast: false };
      carried = 0;
    }
    const whole = Math.floor((rest.byteLength - 1) / size) * size;
    if (whole > 0) yield { group: rest.subarray(0, whole), isLast: false };
    carry.set(rest.subarray(whole), 0);
    carried = rest.byteLength - whole;
  }
  yield { group: carry.subarray(0, carried), isLast: true };
}

/** Encrypts; yields groups of sealed pieces. */
export async function* sealPayload(
  body: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const nonce = new PieceNonce();
  const secret = createSecretKey(key);
  for await (const { group, isLast } of cutPieces(body, PIECE_BYTES, signal)) {
    const pieces = Math.max(1, Math.ceil(group.byteLength / PIECE_BYTES));
    const sealed = Buffer.allocUnsafe(group.byteLength + pieces * TAG_BYTES);
    let used = 0;
    for (let piece = 0; piece < pieces; piece += 1) {
      const plain = group.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
      const cipher = createCipheriv(CIPHER, secret, nonce.next(isLast), { authTagLength: TAG_BYTES });
      used += cipher.update(plain).copy(sealed, used);
      cipher.final();
      used += cipher.getAuthTag().copy(sealed, used);
    }
    yield sealed;
  }
}

/** Decrypts; yields groups of opened pieces. Throws ARTIFACT_DAMAGED. */
export async function* openPayload(
  body: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const nonce = new PieceNonce();
  const secret = createSecretKey(key);
  let isFirst = true;
  for await (const { group, isLast } of cutPieces(body, SEALED_PIECE_BYTES, signal)) {
    // Only an empty file may end in an empty piece.
    if (group.byteLength < TAG_BYTES || (isLast && !isFirst && group.byteLength === TAG_BYTES)) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encrypted data ends early' });
    }
    isFirst = false;
    const opened = openGroup(group, secret, nonce, isLast);
    if (opened.byteLength > 0) yield opened;
  }
}

function openGroup(group: Uint8Array, key: KeyObject, nonce: PieceNonce, isLast: boolean): Uint8Array {
  const pieces = Math.ceil(group.byteLength / SEALED_PIECE_BYTES);
  const opened = Buffer.allocUnsafe(group.byteLength - pieces * TAG_BYTES);
  let used = 0;
  for (let piece = 0; piece < pieces; piece += 1) {
    const sealed = group.subarray(piece * SEALED_PIECE_BYTES, (piece + 1) * SEALED_PIECE_BYTES);
    const tagAt = sealed.byteLength - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, nonce.next(isLast), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(tagAt));
    used += decipher.update(sealed.subarray(0, tagAt)).copy(opened, used);
    try {
      decipher.final();
    } catch (error) {
      const reason = isLast ? 'the encrypted data is corrupt or ends early' : 'the encrypted data is corrupt';
      throw new AppError('ARTIFACT_DAMAGED', { reason }, { cause: error });
    }
  }
  return opened;
}
