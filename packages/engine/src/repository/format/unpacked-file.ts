/**
 * Files that hold one JSON document: index, snapshots, locks. Version 2 seals `0x02 ‖ zstd(json)`, version 1 the JSON
 * itself; the first byte tells a reader which it is (internal/repository/repository.go, decompressUnpacked).
 */
import { AppError } from '@backupx/contracts/errors';
import type { SealedBox } from './sealed-box.ts';
import { compressOnce, decompress } from './zstd.ts';

const COMPRESSED = 2;
const BRACE = 0x7b;
const BRACKET = 0x5b;

/** The bytes to store for a JSON document. */
export function sealFile(box: SealedBox, json: Uint8Array, version: 1 | 2): Buffer {
  return box.seal(version === 1 ? json : Buffer.concat([Buffer.of(COMPRESSED), compressOnce(json)]));
}

/** The JSON document in stored bytes. Throws REPOSITORY_DAMAGED. */
export function openFile(box: SealedBox, bytes: Uint8Array): Buffer {
  const plain = box.open(bytes);
  const [first] = plain;
  if (first === BRACE || first === BRACKET) return plain;
  if (first === COMPRESSED) return decompress(plain.subarray(1));
  throw new AppError('REPOSITORY_DAMAGED', { reason: 'a file is in an encoding that is not known' });
}
