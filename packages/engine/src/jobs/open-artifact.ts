import { AppError } from '@backupx/contracts/errors';
import type { Compression, StoredArtifact } from '@backupx/contracts/jobs';
import { countAndHash } from '../archive/checksum.ts';
import { compressionOf, type DecompressOptions, decompress } from '../archive/compression.ts';
import { decryptAge } from '../archive/encryption.ts';
import type { OpenPieces } from '../archive/seal-pieces.ts';
import { readTar } from '../archive/tar-reader.ts';
import type { RestoreEntry } from '../ports/source.ts';
import type { Storage } from '../ports/storage.ts';

const DOT = 0x2e;
const SLASH = 0x2f;

/** An artifact on its way out of a storage. */
export interface OpenArtifact {
  readonly entries: AsyncIterable<RestoreEntry>;
  /** Stored bytes read so far. */
  readonly bytesRead: number;
  /** After the last entry: throws ARTIFACT_DAMAGED when size or checksum are not those of the record. */
  assertWhole(): void;
}

export interface OpenOptions extends DecompressOptions {
  /** Left out: pieces are opened in this thread. */
  readonly openPieces?: OpenPieces | undefined;
}

interface OpenBytesOptions extends OpenOptions {
  /** Left out: told by the file name. */
  readonly compression?: Compression;
}

/** Decrypts and decompresses what is stored. Throws ARTIFACT_KEY_MISSING when it is encrypted and no key came along. */
export function openStoredBytes(
  body: AsyncIterable<Uint8Array>,
  artifact: Pick<StoredArtifact, 'fileName' | 'encryption'>,
  { compression = compressionOf(artifact.fileName), ...options }: OpenBytesOptions,
): AsyncIterable<Uint8Array> {
  if (!artifact.encryption && artifact.fileName.toLowerCase().endsWith('.age')) {
    throw new AppError('ARTIFACT_KEY_MISSING');
  }
  const { encryption } = artifact;
  const isUsedAtOnce = isDecodedAtOnce(compression, options);
  const plain = encryption ? decryptAge(body, encryption.identities, { ...options, isUsedAtOnce }) : body;
  return decompress(plain, compression, options);
}

/** Whether compressed bytes are needed only until the next are asked for; the decoder of gzip runs ahead. */
function isDecodedAtOnce(compression: Compression, { isUsedAtOnce }: DecompressOptions): boolean {
  return compression === 'zstd' || (compression === 'none' && isUsedAtOnce === true);
}

/** Starts reading an artifact; the checksum is taken of the stored bytes while they pass. */
export function openArtifact(
  storage: Pick<Storage, 'get'>,
  artifact: StoredArtifact,
  options: OpenOptions,
): OpenArtifact {
  const { signal } = options;
  // What is encrypted is copied.
  const isUsedAtOnce = Boolean(artifact.encryption) || isDecodedAtOnce(compressionOf(artifact.fileName), options);
  const tap = countAndHash(storage.get(artifact.storagePath, { signal, isUsedAtOnce }));
  return {
    entries: readTar(openStoredBytes(tap, artifact, options), { signal, nameOf: absolutePath }),
    get bytesRead() {
      return tap.bytesSoFar;
    },
    assertWhole() {
      const { sha256, sizeBytes } = tap.digest();
      if (artifact.fileSize !== null && artifact.fileSize > 0 && sizeBytes !== artifact.fileSize) {
        throw new AppError('ARTIFACT_DAMAGED', { reason: `it has ${sizeBytes} bytes, not ${artifact.fileSize}` });
      }
      if (artifact.checksum && artifact.checksum.toLowerCase() !== sha256) {
        throw new AppError('ARTIFACT_DAMAGED', { reason: 'its checksum is not the recorded one' });
      }
    },
  };
}

/** Archives hold names without their leading slash (some writers put `./` there); the source knows absolute paths. */
function absolutePath(name: Uint8Array): Uint8Array {
  const first = name[0];
  if (first !== DOT && first !== SLASH && name.at(-1) !== SLASH) {
    const absolute = Buffer.allocUnsafe(name.byteLength + 1);
    absolute[0] = SLASH;
    absolute.set(name, 1);
    return absolute;
  }
  const path = Buffer.from(name)
    .toString('latin1')
    .replace(/^(\.?\/+)+|^\.$/, '')
    .replace(/\/+$/, '');
  return Buffer.from(`/${path}`, 'latin1');
}
