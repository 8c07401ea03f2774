/** Sealing and opening of the 64 KiB pieces of an age file (ChaCha20-Poly1305). Loads nothing else: a small thread lives on it. */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';

const CIPHER = 'chacha20-poly1305';
export const PIECE_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
export const SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES;

/** Pieces in a row: all of them full but the last one of the file. */
export interface PieceGroup {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
  /** Number of the first piece in the file. */
  readonly firstPiece: number;
  readonly isLast: boolean;
}

/** Seals a group into `output`; answers how many bytes it filled. */
export type SealPieces = (group: PieceGroup, output: Uint8Array) => Promise<number>;
/** The same for a group of sealed pieces; `NOT_AUTHENTIC`: it is not what was sealed. */
export type OpenPieces = SealPieces;

export const NOT_AUTHENTIC = -1;

export function piecesOf(group: Pick<PieceGroup, 'bytes'>): number {
  return Math.max(1, Math.ceil(group.bytes.byteLength / PIECE_BYTES));
}

export function sealedSize(group: Pick<PieceGroup, 'bytes'>): number {
  return group.bytes.byteLength + piecesOf(group) * TAG_BYTES;
}

/** 11 bytes of the piece's number, big endian (48 bits are more than enough), then 1 for the final piece. */
function pieceNonce(piece: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(piece, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** In this thread, at once. */
export function sealPiecesNow(group: PieceGroup, output: Uint8Array): number {
  const { bytes, firstPiece, isLast } = group;
  const secret = createSecretKey(group.key);
  const count = piecesOf(group);
  let used = 0;
  for (let index = 0; index < count; index += 1) {
    const nonce = pieceNonce(firstPiece + index, isLast && index === count - 1);
    const cipher = createCipheriv(CIPHER, secret, nonce, { authTagLength: TAG_BYTES });
    const sealed = cipher.update(bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES));
    output.set(sealed, used);
    used += sealed.byteLength;
    cipher.final();
    output.set(cipher.getAuthTag(), used);
    used += TAG_BYTES;
  }
  return used;
}

export function sealedPiecesOf(group: Pick<PieceGroup, 'bytes'>): number {
  return Math.ceil(group.bytes.byteLength / SEALED_PIECE_BYTES);
}

/** In this thread, at once. */
export function openPiecesNow(group: PieceGroup, output: Uint8Array): number {
  const { bytes, firstPiece, isLast } = group;
  const secret = createSecretKey(group.key);
  const count = sealedPiecesOf(group);
  let used = 0;
  for (let index = 0; index < count; index += 1) {
    const sealed = bytes.subarray(index * SEALED_PIECE_BYTES, (index + 1) * SEALED_PIECE_BYTES);
    const tagAt = sealed.byteLength - TAG_BYTES;
    const nonce = pieceNonce(firstPiece + index, isLast && index === count - 1);
    const decipher = createDecipheriv(CIPHER, secret, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(tagAt));
    const opened = decipher.update(sealed.subarray(0, tagAt));
    try {
      decipher.final();
    } catch {
      return NOT_AUTHENTIC;
    }
    output.set(opened, used);
    used += opened.byteLength;
  }
  return used;
}
