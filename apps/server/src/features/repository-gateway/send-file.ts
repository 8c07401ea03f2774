/** Hands a file out, whole or in part. */
import { AppError } from '@backupx/contracts/errors';
import type { Storage, StoredObject } from '@backupx/engine/ports/storage';
import type { FastifyReply } from 'fastify';
import { bodyOf, withFirst } from '../../http/body-of.ts';
import { type AskedRange, type FilePart, parseRange, resolveRange } from './byte-range.ts';
import { Refusal } from './refusal.ts';

const BUFFER_BYTES = 256 * 1024;

export interface AskedFile {
  readonly storage: Storage;
  readonly key: string;
  readonly range: string | undefined;
  readonly signal: AbortSignal;
}

/** Answers size and time without the content. Throws STORAGE_NOT_FOUND. */
export async function describeFile({ storage, key, signal }: AskedFile, reply: FastifyReply): Promise<FastifyReply> {
  describe(reply, await storage.stat(key, signal));
  return reply.send();
}

/**
 * Answers the content with back-pressure. The first bytes are asked for before the headers go out, side by side with the
 * size, so a missing file is still an error answer; after that a failure can only cut the connection.
 */
export async function sendFile(asked: AskedFile, reply: FastifyReply): Promise<FastifyReply> {
  const range = parseRange(asked.range);
  const { object, part, bytes, source } = await openPart(asked, range);
  describe(reply, object);
  reply.header('content-length', part.end - part.start);
  if (range && object.sizeBytes > 0) {
    reply.code(206).header('content-range', `bytes ${part.start}-${part.end - 1}/${object.sizeBytes}`);
  }
  return reply.send(bodyOf(exactly(bytes, part), source, { bufferBytes: BUFFER_BYTES }));
}

function describe(reply: FastifyReply, { sizeBytes, modifiedAt }: StoredObject): void {
  reply.header('content-length', sizeBytes).header('accept-ranges', 'bytes').type('application/octet-stream');
  if (modifiedAt) reply.header('last-modified', modifiedAt.toUTCString());
}

interface OpenPart {
  readonly object: StoredObject;
  readonly part: FilePart;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What they come from. */
  readonly source: AsyncIterator<Uint8Array>;
}

async function openPart({ storage, key, signal }: AskedFile, range: AskedRange | null): Promise<OpenPart> {
  if (range && 'suffixBytes' in range) {
    const object = await storage.stat(key, signal);
    const part = partOf(range, object);
    const source = storage.get(key, { signal, range: part })[Symbol.asyncIterator]();
    return { object, part, bytes: { [Symbol.asyncIterator]: () => source }, source };
  }
  const end = range?.last == null ? undefined : range.last + 1;
  const bytes = storage.get(key, {
    signal,
    range: { start: range?.first ?? 0, ...(end === undefined ? {} : { end }) },
  });
  const source = bytes[Symbol.asyncIterator]();
  const first = source.next();
  first.catch(() => {});
  try {
    const [object] = await Promise.all([storage.stat(key, signal), first]);
    const part = partOf(range, object);
    return { object, part, bytes: withFirst(await first, source), source };
  } catch (error) {
    first.then(() => source.return?.()).catch(() => {});
    throw error;
  }
}

function partOf(range: AskedRange | null, { sizeBytes }: StoredObject): FilePart {
  const whole = { start: 0, end: sizeBytes };
  // Of an empty file every range is the whole, as Go's file server sees it.
  if (!range || sizeBytes === 0) return whole;
  const part = resolveRange(range, sizeBytes);
  if (!part) throw new RangeRefusal(sizeBytes);
  return part;
}

/** 416; the answer names the size of the file. */
export class RangeRefusal extends Refusal {
  readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    const problem = { path: 'range', code: 'out_of_range', message: `the file has ${sizeBytes} bytes` };
    super(416, new AppError('INVALID_INPUT', {}, { fields: [problem] }));
    this.sizeBytes = sizeBytes;
  }
}

/** Passes on what belongs to the part; fails when the storage gives less or more than it said. */
async function* exactly(bytes: AsyncIterable<Uint8Array>, part: FilePart): AsyncGenerator<Uint8Array> {
  let missing = part.end - part.start;
  for await (const chunk of bytes) {
    missing -= chunk.byteLength;
    if (missing < 0) throw new AppError('STORAGE_FAILED', { reason: 'the file has grown while it was read' });
    yield chunk;
  }
  if (missing > 0) throw new AppError('STORAGE_FAILED', { reason: 'the file has shrunk while it was read' });
}
