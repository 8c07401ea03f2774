/** The payload of an age file: the STREAM construction over 64 KiB pieces. Key and nonce are the caller's. */
import { createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { throwIfCancelled } from '../ports/pull-body.ts';
import {
  CIPHER,
  PIECE_BYTES,
  pieceNonce,
  piecesOf,
  SEALED_PIECE_BYTES,
  type SealPieces,
  sealedSize,
  sealPiecesNow,
  TAG_BYTES,
} from './seal-pieces.ts';

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

export interface SealOptions {
  readonly signal: AbortSignal;
  /** Where the work is done; default: in this thread. */
  readonly sealPieces?: SealPieces;
}

/** Encrypts; yields groups of sealed pieces, each valid until the next is asked for (it is memory used again). */
export async function* sealPayload(
  body: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  { signal, sealPieces }: SealOptions,
): AsyncGenerator<Uint8Array> {
  let firstPiece = 0;
  let output: Uint8Array = new Uint8Array(0);
  for await (const { group: bytes, isLast } of cutPieces(body, PIECE_BYTES, signal)) {
    const group = { key, bytes, firstPiece, isLast };
    firstPiece += piecesOf(group);
    const sizeBytes = sealedSize(group);
    if (output.byteLength < sizeBytes) output = new Uint8Array(new SharedArrayBuffer(2 * sizeBytes));
    // A single piece is not worth the way to another thread.
    const isAside = sealPieces !== undefined && bytes.byteLength > PIECE_BYTES;
    const used = isAside ? await sealPieces(group, output) : sealPiecesNow(group, output);
    yield output.subarray(0, used);
  }
}

/** Decrypts; yields groups of opened pieces. Throws ARTIFACT_DAMAGED. */
export async function* openPayload(
  body: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let nextPiece = 0;
  const secret = createSecretKey(key);
  let isFirst = true;
  for await (const { group, isLast } of cutPieces(body, SEALED_PIECE_BYTES, signal)) {
    // Only an empty file may end in an empty piece.
    if (group.byteLength < TAG_BYTES || (isLast && !isFirst && group.byteLength === TAG_BYTES)) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encrypted data ends early' });
    }
    isFirst = false;
    const opened = openGroup(group, secret, nextPiece, isLast);
    nextPiece += Math.ceil(group.byteLength / SEALED_PIECE_BYTES);
    if (opened.byteLength > 0) yield opened;
  }
}

function openGroup(group: Uint8Array, key: KeyObject, firstPiece: number, isLast: boolean): Uint8Array {
  const pieces = Math.ceil(group.byteLength / SEALED_PIECE_BYTES);
  const opened = Buffer.allocUnsafe(group.byteLength - pieces * TAG_BYTES);
  let used = 0;
  for (let piece = 0; piece < pieces; piece += 1) {
    const sealed = group.subarray(piece * SEALED_PIECE_BYTES, (piece + 1) * SEALED_PIECE_BYTES);
    const tagAt = sealed.byteLength - TAG_BYTES;
    const nonce = pieceNonce(firstPiece + piece, isLast && piece === pieces - 1);
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
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
