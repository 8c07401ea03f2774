/**
 * Files that hold one JSON document: index, snapshots, locks. Version 2 seals `0x02 ‖ zstd(json)`, version 1 the JSON
 * itself; the first byte tells a reader which it is (internal/repository/repository.go, decompressUnpacked).
 */
import { AppError } from '@backupx/contracts/errors';
import { SEAL_OVERHEAD, type SealedBox } from './sealed-box.ts';
import { compressOnce, compressPieces, contentSize, decompress, decompressInto, mostBytesIn } from './zstd.ts';

/** Bytes that sealing puts before content; content that lies behind them is sealed over itself. */
const SEAL_LEAD = 16;
const COMPRESSED = 2;
const BRACE = 0x7b;
const BRACKET = 0x5b;

/** A JSON document that is made while it is read, once. */
export interface JsonPieces {
  readonly sizeBytes: number;
  readonly pieces: Iterable<Uint8Array>;
}

/** The bytes to store for a JSON document. */
export function sealFile(box: SealedBox, json: Uint8Array, version: 1 | 2): Buffer {
  return box.seal(version === 1 ? json : Buffer.concat([Buffer.of(COMPRESSED), compressOnce(json)]));
}

/** The same for a document that never lies in memory as a whole. */
export async function sealPieces(box: SealedBox, json: JsonPieces, version: 1 | 2): Promise<Buffer> {
  if (version === 1) return box.seal(Buffer.concat([...json.pieces]));
  return sealParts(box, [Buffer.of(COMPRESSED), ...(await compressPieces(json.pieces, json.sizeBytes))]);
}

/** Content in parts, sealed as a whole. */
export function sealParts(box: SealedBox, parts: readonly Uint8Array[]): Buffer {
  const sealed = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.byteLength, SEAL_OVERHEAD));
  let at = SEAL_LEAD;
  for (const part of parts) {
    sealed.set(part, at);
    at += part.byteLength;
  }
  box.sealInto(sealed.subarray(SEAL_LEAD, at), sealed, 0);
  return sealed;
}

/** Memory of a size that shows only when it is needed; see `ScratchMemory`. */
interface Memory {
  take(sizeBytes: number): Buffer;
}

/** The same as `openFile` in memory that is there already: valid until that is used again. */
export function openFileInto(box: SealedBox, bytes: Uint8Array, memory: { opened: Memory; plain: Memory }): Buffer {
  const target = memory.opened.take(Math.max(0, bytes.byteLength - SEAL_OVERHEAD));
  const plain = target.subarray(0, box.openInto(bytes, target));
  if (plain[0] !== COMPRESSED) return openedText(plain);
  const frame = plain.subarray(1);
  const size = contentSize(frame);
  if (size === null || size > mostBytesIn(frame.byteLength)) return decompress(frame);
  const text = memory.plain.take(size);
  return text.subarray(0, decompressInto(frame, text));
}

/** The JSON document in stored bytes. Throws REPOSITORY_DAMAGED, also when compression hid more than `maxBytes`. */
export function openFile(box: SealedBox, bytes: Uint8Array, maxBytes?: number): Buffer {
  const plain = box.open(bytes);
  return plain[0] === COMPRESSED ? decompress(plain.subarray(1), maxBytes) : openedText(plain);
}

function openedText(plain: Buffer): Buffer {
  const [first] = plain;
  if (first === BRACE || first === BRACKET) return plain;
  throw new AppError('REPOSITORY_DAMAGED', { reason: 'a file is in an encoding that is not known' });
}
