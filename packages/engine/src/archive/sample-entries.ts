/** Entries and streams made up in memory, for the tests of this folder and `tests/engine`. */
import type { DataSegment, EntryType, SourceEntry, SyncContent } from '../ports/source.ts';

/** Fields of an entry that matter to the test; the rest is plain. */
export type SampleFields = Partial<Omit<SourceEntry, 'path' | 'type' | 'linkTarget'>> & {
  readonly data?: Uint8Array | string;
  readonly segments?: readonly DataSegment[];
  readonly linkTarget?: Uint8Array | string;
};

export const neverAborted: AbortSignal = new AbortController().signal;

/** Content that reads from `data`; counts how often it was closed. */
export function sampleContent(
  data: Uint8Array,
  segments: readonly DataSegment[] | null = null,
): SyncContent & { closed: number } {
  return {
    kind: 'sync',
    sizeBytes: data.byteLength,
    segments,
    closed: 0,
    read(target, offset, length, position) {
      const part = data.subarray(position, position + length);
      target.set(part, offset);
      return part.byteLength;
    },
    close() {
      this.closed += 1;
    },
  };
}

export function sampleEntry(path: string | Uint8Array, type: EntryType, fields: SampleFields = {}): SourceEntry {
  const { data, segments, linkTarget, ...rest } = fields;
  const bytes = typeof data === 'string' ? Buffer.from(data) : (data ?? new Uint8Array(0));
  return {
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 1000,
    gid: 1000,
    userName: 'alice',
    groupName: 'staff',
    modifiedAtNs: 1_700_000_000_000_000_000n,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    content: type === 'file' ? sampleContent(bytes, segments ?? null) : null,
    ...rest,
    path: typeof path === 'string' ? Buffer.from(path) : path,
    type,
    linkTarget: typeof linkTarget === 'string' ? Buffer.from(linkTarget) : (linkTarget ?? null),
  };
}

/** All bytes of a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  // Chunks may be valid only until the next pull.
  for await (const chunk of stream) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** `data` as a stream of chunks of at most `chunkSize`. */
export async function* inChunks(data: Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.byteLength; at += chunkSize) yield data.subarray(at, at + chunkSize);
}

/** The same as sources may give it, which use their memory again. */
export async function* inUsedMemory(data: Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(chunkSize);
  for await (const chunk of inChunks(data, chunkSize)) {
    memory.set(chunk);
    yield memory.subarray(0, chunk.byteLength);
    memory.fill(0xee);
  }
}

/** Bytes that do not compress and are the same at every run. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}
