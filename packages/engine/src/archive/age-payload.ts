/** The payload of an age file: the STREAM construction over 64 KiB pieces. Key and nonce are the caller's. */
import { AppError } from '@backupx/contracts/errors';
import { throwIfCancelled } from '../ports/pull-body.ts';
import {
  NOT_AUTHENTIC,
  type OpenPieces,
  openPiecesNow,
  PIECE_BYTES,
  type PieceGroup,
  piecesOf,
  SEALED_PIECE_BYTES,
  type SealPieces,
  sealedPiecesOf,
  sealedSize,
  sealPiecesNow,
  TAG_BYTES,
} from './seal-pieces.ts';

interface CutOptions {
  /** Of a piece. */
  readonly size: number;
  /** Pieces that are gathered from short chunks, at least 1. */
  readonly gathered: number;
  readonly signal: AbortSignal;
}

/**
 * Cuts a stream into pieces of `size`; the last one may be shorter (or empty, when there is nothing at all).
 * `group` holds full pieces in a row so that they go downstream as one chunk.
 */
async function* cutPieces(
  body: AsyncIterable<Uint8Array>,
  { size, gathered, signal }: CutOptions,
): AsyncGenerator<{ readonly group: Uint8Array; readonly isLast: boolean }> {
  const carry = new Uint8Array(new SharedArrayBuffer(gathered * size));
  let carried = 0;
  for await (const chunk of body) {
    throwIfCancelled(signal);
    let rest = chunk;
    if (carried > 0) {
      const fill = rest.subarray(0, carry.byteLength - carried);
      carry.set(fill, carried);
      carried += fill.byteLength;
      rest = rest.subarray(fill.byteLength);
    }
    // A full piece is handed on only when more follows: the last piece is sealed with another flag.
    if (rest.byteLength === 0) continue;
    if (carried === carry.byteLength) {
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
  for await (const { group: bytes, isLast } of cutPieces(body, { size: PIECE_BYTES, gathered: 1, signal })) {
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

/** About a MiB: less is not worth the way to another thread. */
const OPENED_AT_ONCE = 16;

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Where the work is done; default: in this thread. */
  readonly openPieces?: OpenPieces | undefined;
  /** True: a chunk is needed only until the next is asked for, so its memory may be used again. Left out: false. */
  readonly isUsedAtOnce?: boolean;
}

/** Decrypts; yields groups of opened pieces. Throws ARTIFACT_DAMAGED. */
export async function* openPayload(
  body: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  { signal, openPieces, isUsedAtOnce = false }: OpenOptions,
): AsyncGenerator<Uint8Array> {
  let firstPiece = 0;
  let output: Uint8Array = new Uint8Array(0);
  const cut = { size: SEALED_PIECE_BYTES, gathered: OPENED_AT_ONCE, signal };
  for await (const { group: bytes, isLast } of cutPieces(body, cut)) {
    const group = { key, bytes, firstPiece, isLast };
    firstPiece += sealedPiecesOf(group);
    assertWholeEnd(bytes.byteLength, { isLast, isOnly: firstPiece <= 1 });
    if (output.byteLength < bytes.byteLength) output = new Uint8Array(new SharedArrayBuffer(2 * bytes.byteLength));
    const used = await openGroup(group, output, openPieces);
    if (used > 0) yield isUsedAtOnce ? output.subarray(0, used) : output.slice(0, used);
  }
}

/** Answers the bytes it filled. Throws ARTIFACT_DAMAGED. */
async function openGroup(group: PieceGroup, output: Uint8Array, openPieces: OpenPieces | undefined): Promise<number> {
  const isAside = openPieces !== undefined && group.bytes.byteLength > SEALED_PIECE_BYTES;
  const used = isAside ? await openPieces(group, output) : openPiecesNow(group, output);
  if (used !== NOT_AUTHENTIC) return used;
  const reason = group.isLast ? 'the encrypted data is corrupt or ends early' : 'the encrypted data is corrupt';
  throw new AppError('ARTIFACT_DAMAGED', { reason });
}

/** Only an empty file may end in an empty piece. */
function assertWholeEnd(groupBytes: number, { isLast, isOnly }: { isLast: boolean; isOnly: boolean }): void {
  const endBytes = groupBytes % SEALED_PIECE_BYTES;
  const isCut = groupBytes === 0 || (endBytes > 0 && endBytes < TAG_BYTES);
  if (!isCut && !(isLast && endBytes === TAG_BYTES && !isOnly)) return;
  throw new AppError('ARTIFACT_DAMAGED', { reason: 'the encrypted data ends early' });
}
