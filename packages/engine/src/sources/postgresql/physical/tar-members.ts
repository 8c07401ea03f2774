/**
 * Takes a tar archive apart that a PostgreSQL server writes: plain ustar headers, paths up to 99 bytes, sizes in octal
 * or, for large files, in base 256. Archives of BackupX itself are read elsewhere (`archive/`), by another reader.
 */
const RECORD_BYTES = 512;
const [FILE, OLD_FILE, SYMLINK, FOLDER] = ['0', '\0', '2', '5'];

export interface TarMember {
  /** Bytes as latin1 text; without `./` and without a slash at its end. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly modifiedAt: Date;
  readonly sizeBytes: number;
  /** Of a file; what of it is not read is skipped when the next member is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** What is wrong with an archive. */
export class TarError extends Error {}

/** Yields the members in order; ends only when the mark of the end came and nothing but zeros after it. Throws TarError. */
export async function* tarMembers(body: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  const bytes = new ChunkReader(body);
  try {
    for (let header = await bytes.exactly(RECORD_BYTES); !isZero(header); header = await bytes.exactly(RECORD_BYTES)) {
      const member = parseHeader(header);
      const data = new MemberData(bytes, member.sizeBytes);
      yield { ...member, content: data };
      await data.skip();
      const rest = member.sizeBytes % RECORD_BYTES;
      if (rest > 0) await bytes.exactly(RECORD_BYTES - rest);
    }
    for (let chunk = await bytes.some(); chunk; chunk = await bytes.some()) {
      if (!isZero(chunk)) throw new TarError('there is something behind its end');
    }
  } finally {
    await bytes.close();
  }
}

class MemberData implements AsyncIterable<Uint8Array> {
  readonly #bytes: ChunkReader;
  #left: number;

  constructor(bytes: ChunkReader, sizeBytes: number) {
    this.#bytes = bytes;
    this.#left = sizeBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      const chunk = await this.#bytes.some(this.#left);
      if (!chunk) throw new TarError('it ends early');
      this.#left -= chunk.byteLength;
      yield chunk;
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this);
  }
}

/** Bytes in the portions that are wanted. */
class ChunkReader {
  readonly #body: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body[Symbol.asyncIterator]();
  }

  /** What there is, at most `max` bytes; null at the end. */
  async some(max = Number.POSITIVE_INFINITY): Promise<Uint8Array | null> {
    while (this.#chunk.byteLength === 0) {
      const { value, done } = await this.#body.next();
      if (done) return null;
      this.#chunk = value;
    }
    const part = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(part.byteLength);
    return part;
  }

  async exactly(count: number): Promise<Buffer> {
    const target = Buffer.alloc(count);
    for (let at = 0; at < count; ) {
      const part = await this.some(count - at);
      if (!part) throw new TarError('it ends early');
      target.set(part, at);
      at += part.byteLength;
    }
    return target;
  }

  async close(): Promise<void> {
    await this.#body.return?.();
  }
}

function parseHeader(header: Buffer): Omit<TarMember, 'content'> {
  const isUstar = header.toString('latin1', 257, 262) === 'ustar';
  if (!isUstar || checksumOf(header) !== number(header, 148, 8)) throw new TarError('a header in it is damaged');
  const type = typeOf(header.toString('latin1', 156, 157));
  return {
    path: text(header, 0, 100)
      .replace(/^(\.\/)+/, '')
      .replace(/\/+$/, ''),
    type,
    mode: number(header, 100, 8) & 0o7777,
    uid: number(header, 108, 8),
    gid: number(header, 116, 8),
    sizeBytes: type === 'file' ? number(header, 124, 12) : 0,
    modifiedAt: new Date(number(header, 136, 12) * 1000),
    userName: text(header, 265, 32),
    groupName: text(header, 297, 32),
  };
}

function typeOf(flag: string): TarMember['type'] {
  if (flag === FILE || flag === OLD_FILE) return 'file';
  if (flag === FOLDER) return 'directory';
  if (flag === SYMLINK) return 'symlink';
  throw new TarError(`there is a member of type ${JSON.stringify(flag)} in it`);
}

function text(header: Buffer, at: number, size: number): string {
  const end = header.indexOf(0, at);
  return header.toString('latin1', at, end < 0 || end > at + size ? at + size : end);
}

/** Octal digits, or base 256 behind a byte 0x80. */
function number(header: Buffer, at: number, size: number): number {
  const isBinary = header[at] === 0x80;
  const value = isBinary
    ? Number(BigInt(`0x${header.toString('hex', at + 1, at + size)}`))
    : Number.parseInt(text(header, at, size).trim() || '0', 8);
  if (!Number.isSafeInteger(value) || value < 0) throw new TarError('a number in it is impossible');
  return value;
}

/** Sum of all bytes, those of the sum itself counted as spaces. */
function checksumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  return sum;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
