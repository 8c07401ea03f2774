import { createHash } from 'node:crypto';
import { hashOf } from './format/blob-id.ts';
import { compressOnce, decompress, decompressInto } from './format/zstd.ts';
import { ScratchMemory } from './scratch-memory.ts';

/** A part of a tree blob. Those of a huge folder wait in compressed form: as text they would fill the memory. */
export interface TreePart {
  readonly bytes: Uint8Array;
  readonly plainLength: number;
  readonly isCompressed: boolean;
}

/** Fast; the blob itself is compressed anew. */
const WAITING = { level: 1 };

export function plainPart(bytes: Uint8Array): TreePart {
  return { bytes, plainLength: bytes.byteLength, isCompressed: false };
}

export function compressedPart(plain: Uint8Array): TreePart {
  const frame = compressOnce(plain, WAITING);
  // A buffer of its own, to be given away without a copy.
  const bytes = frame.byteLength === frame.buffer.byteLength ? frame : new Uint8Array(frame);
  return { bytes, plainLength: plain.byteLength, isCompressed: true };
}

export function plainBytesOf({ bytes, plainLength, isCompressed }: TreePart): Uint8Array {
  return isCompressed ? decompress(bytes, plainLength) : bytes;
}

const scratch = new ScratchMemory();

/** The text of a tree, a part at a time, each valid until the next is asked for. */
export function* passingPieces(parts: readonly TreePart[]): Generator<Uint8Array> {
  for (const part of parts) {
    if (part.isCompressed) {
      const memory = scratch.take(part.plainLength);
      yield memory.subarray(0, decompressInto(part.bytes, memory));
    } else yield part.bytes;
  }
}

export function lengthOfParts(parts: readonly TreePart[]): number {
  return parts.reduce((sum, { plainLength }) => sum + plainLength, 0);
}

/** SHA-256 of the whole text. */
export function hashOfParts(parts: readonly TreePart[]): Buffer {
  const [only] = parts;
  if (only && parts.length === 1 && !only.isCompressed) return hashOf(only.bytes);
  const digest = createHash('sha256');
  for (const piece of passingPieces(parts)) digest.update(piece);
  return digest.digest();
}
