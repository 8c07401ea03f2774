/**
 * One stored object: a zstd file with a skippable frame before the data (JSON: what it is) and one behind it (size and
 * SHA-256 of the data), sealed with age when there are recipients. `age -d | zstd -d` makes the data of it; whoever reads
 * it here knows in the end whether every byte came back, without any catalogue.
 */
import { AppError } from '@backupx/contracts/errors';
import { ByteSource } from '../archive/byte-source.ts';
import { countAndHash } from '../archive/checksum.ts';
import { compress, decompress } from '../archive/compression.ts';
import { decryptAge, encryptAge } from '../archive/encryption.ts';
import { cutBlocks } from './cut-blocks.ts';

const HEADER_MAGIC = 0x184d2a5c;
const TRAILER_MAGIC = 0x184d2a5d;
const FRAME_START_BYTES = 8;
const MAX_HEADER_BYTES = 64 * 1024;
const TRAILER_BYTES = FRAME_START_BYTES + 8 + 32;
const BLOCKS_IN_FLIGHT = 2;

/** What an object says about itself. */
export type ObjectHeader = Readonly<Record<string, string | number | null>> & { readonly format: 1 };

export interface SealOptions {
  readonly header: ObjectHeader;
  /** Empty: not encrypted. */
  readonly recipients: readonly string[];
  readonly compressionLevel: number;
  /** SHA-256 the data must turn out to have, when it was read before. */
  readonly sha256?: string;
  readonly signal: AbortSignal;
}

/** The object of some data, to be read once; `sizeBytes` of the data is known afterwards. */
export interface SealedObject extends AsyncIterable<Uint8Array> {
  sizeBytes(): number;
}

/** Makes an object while the data passes. Memory: a few blocks of 1 MiB. */
export function sealObject(data: AsyncIterable<Uint8Array>, options: SealOptions): SealedObject {
  const { signal } = options;
  const { blocks, giveBack } = cutBlocks(data);
  const tap = countAndHash(blocks);

  async function* frames(): AsyncGenerator<Uint8Array> {
    yield frame(HEADER_MAGIC, Buffer.from(JSON.stringify(options.header)));
    yield* compress(tap, {
      algorithm: 'zstd',
      level: options.compressionLevel,
      parallelism: BLOCKS_IN_FLIGHT,
      signal,
      onBlockDone: giveBack,
    });
    const { sizeBytes, sha256 } = tap.digest();
    if (options.sha256 !== undefined && options.sha256 !== sha256) throw new Error('it changed while it was read');
    yield frame(TRAILER_MAGIC, trailer(sizeBytes, sha256));
  }

  const body = options.recipients.length > 0 ? encryptAge(frames(), options.recipients, { signal }) : frames();
  return { [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](), sizeBytes: () => tap.digest().sizeBytes };
}

export interface OpenOptions {
  /** What its header must say, among other things. */
  readonly expected: Readonly<Record<string, string>>;
  readonly isEncrypted: boolean;
  readonly identities: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * The data of an object. The last piece is handed out only when size and checksum have proved right, so a reader that
 * got everything got the right thing. Throws ARTIFACT_DAMAGED, ARTIFACT_KEY_MISSING, ARTIFACT_KEY_WRONG.
 */
export async function* openObject(stored: AsyncIterable<Uint8Array>, options: OpenOptions): AsyncGenerator<Uint8Array> {
  const { signal, identities } = options;
  if (options.isEncrypted && identities.length === 0) throw new AppError('ARTIFACT_KEY_MISSING');
  // Its chunks are decoded at once; those of the data are not, since one is held back.
  const opened = options.isEncrypted ? decryptAge(stored, identities, { signal, isUsedAtOnce: true }) : stored;
  const source = new ByteSource(opened, signal);
  try {
    await checkHeader(source, options.expected);
    const tail = rememberTail(source.rest(), TRAILER_BYTES);
    const tap = countAndHash(decompress(tail.stream, 'zstd', { signal }));
    let held: Uint8Array | null = null;
    for await (const chunk of tap) {
      if (held) yield held;
      held = chunk;
    }
    const { sizeBytes, sha256 } = tap.digest();
    const wanted = frame(TRAILER_MAGIC, trailer(sizeBytes, sha256));
    if (!wanted.equals(tail.bytes())) throw damaged('size or checksum are not those it was stored with');
    if (held) yield held;
  } finally {
    await source.close();
  }
}

async function checkHeader(source: ByteSource, expected: OpenOptions['expected']): Promise<void> {
  const start = await source.take(FRAME_START_BYTES);
  const view = Buffer.from(start ?? []);
  if (!start || view.readUInt32LE(0) !== HEADER_MAGIC) throw damaged('it was not stored by this program');
  const length = view.readUInt32LE(4);
  const text = length <= MAX_HEADER_BYTES ? await source.take(length) : null;
  if (!text) throw damaged('its header is cut off');
  const header = readHeader(Buffer.from(text).toString());
  if (header.format !== 1) throw damaged('a newer version of this program wrote it');
  const isOther = Object.entries(expected).some(([key, value]) => header[key] !== value);
  if (isOther) throw damaged('it is that of another file');
}

function readHeader(text: string): Partial<ObjectHeader> {
  try {
    return Object(JSON.parse(text));
  } catch (error) {
    throw damaged('its header is corrupt', error);
  }
}

function frame(magic: number, content: Uint8Array): Buffer {
  const start = Buffer.alloc(FRAME_START_BYTES);
  start.writeUInt32LE(magic, 0);
  start.writeUInt32LE(content.byteLength, 4);
  return Buffer.concat([start, content]);
}

function trailer(sizeBytes: number, sha256: string): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(sizeBytes));
  return Buffer.concat([size, Buffer.from(sha256, 'hex')]);
}

/** Passes a stream on and keeps its last bytes. */
function rememberTail(body: AsyncIterable<Uint8Array>, length: number) {
  let tail: Uint8Array = new Uint8Array(0);
  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      tail = Buffer.concat([tail, chunk.subarray(-length)]).subarray(-length);
      yield chunk;
    }
  }
  return { stream: pass(), bytes: () => tail };
}

function damaged(reason: string, cause?: unknown): AppError {
  return new AppError('ARTIFACT_DAMAGED', { reason }, { cause });
}
