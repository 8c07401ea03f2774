/**
 * Writes entries as a POSIX pax archive that GNU tar, bsdtar and every other current tar restores.
 *
 * The hot path is synchronous: headers are built in place in a large block, file data is read straight into it, and a
 * promise exists per block, not per file. Memory is the current block plus those the consumer has not taken.
 */
import type { ItemProblem } from '@backupx/contracts/jobs';
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { DataSegment, SourceEntry, StreamContent, SyncContent } from '../ports/source.ts';
import { BlockQueue, type Mark } from './block-queue.ts';
import { displayPath } from './display-path.ts';
import { alignSegments, dataBytesOf, encodeSparseMap } from './sparse-map.ts';
import { paddingOf, RECORD_BYTES } from './tar-format.ts';
import { encodeMember, type MemberLayout, writePaxHeader, writeUstar } from './tar-header.ts';
import { PART_BYTES, partComment, partEntry } from './tar-parts.ts';

const DEFAULT_BLOCK_BYTES = 4 * 1024 * 1024;

export interface WriteTarOptions {
  readonly signal: AbortSignal;
  /** An item that is not in the archive as it was: `changed` (shrank or grew) or `unreadable` (reading failed). */
  readonly onProblem: (problem: ItemProblem) => void;
  /** Called after an entry is in the archive; `storedSize` = its data bytes there, holes of a sparse file not counted. */
  readonly onEntry?: (entry: SourceEntry, storedSize: number) => void;
  /** Multiple of 512, default 4 MiB. */
  readonly blockSize?: number;
  /** Hands out memory of `blockSize` bytes; lets the caller recycle blocks that are done. */
  readonly allocate?: () => Uint8Array;
}

/**
 * Yields the archive in blocks of `blockSize` (the last one shorter). Paths lose their leading slashes.
 * A file that ends early or fails is filled up with zeros and reported; one that fails at its first byte is left out
 * when nothing of it has been handed on yet. Contents are closed in every case. A stream of unknown size is written in
 * parts, see `tar-parts.ts`. Throws CANCELLED, what `entries` throws, and what a stream throws: half a dump is none.
 */
export async function* writeTar(
  entries: Iterable<SourceEntry> | AsyncIterable<SourceEntry>,
  options: WriteTarOptions,
): AsyncGenerator<Uint8Array> {
  const writer = new TarWriter(options);
  if (Symbol.iterator in entries) {
    for (const entry of entries) {
      throwIfCancelled(options.signal);
      // Without a detour over an async generator: that would cost a promise per file.
      if (entry.content?.kind === 'stream') yield* writer.streamEntry(entry, entry.content);
      else for (const block of writer.syncEntry(entry, entry.content)) yield block;
    }
  } else {
    for await (const entry of entries) yield* writer.anyEntry(entry);
  }
  yield* writer.end();
}

/** How reading one file went so far. */
interface ReadState {
  readonly start: Mark;
  problem: ItemProblem | null;
  /** True while not one byte of it was read. */
  isUntouched: boolean;
  /** True when the header was taken back, so that no file of zeros stands in the archive. */
  isLeftOut: boolean;
}

interface StreamProgress {
  done: number;
  problem: ItemProblem | null;
}

class TarWriter {
  readonly #options: WriteTarOptions;
  readonly #out: BlockQueue;

  constructor(options: WriteTarOptions) {
    const blockSize = options.blockSize ?? DEFAULT_BLOCK_BYTES;
    if (blockSize < RECORD_BYTES || blockSize % RECORD_BYTES !== 0) throw new RangeError('blockSize: multiple of 512');
    this.#options = options;
    this.#out = new BlockQueue(blockSize, options.allocate);
  }

  async *anyEntry(entry: SourceEntry): AsyncGenerator<Uint8Array> {
    throwIfCancelled(this.#options.signal);
    if (entry.content?.kind === 'stream') yield* this.streamEntry(entry, entry.content);
    else yield* this.syncEntry(entry, entry.content);
  }

  /** An entry without content or with content read by synchronous calls. */
  *syncEntry(entry: SourceEntry, content: SyncContent | null): Generator<Uint8Array> {
    try {
      if (content) yield* this.#syncFile(entry, content);
      else {
        this.#writeHeader(entry, { storedBytes: 0, sparseSizeBytes: null });
        this.#options.onEntry?.(entry, 0);
      }
    } finally {
      content?.close();
    }
    while (this.#out.ready.length > 0) yield this.#out.ready.shift() as Uint8Array;
  }

  *#syncFile(entry: SourceEntry, content: SyncContent): Generator<Uint8Array> {
    const segments = content.segments && alignSegments(content.segments, content.sizeBytes);
    const map = segments && encodeSparseMap(segments, content.sizeBytes);
    const dataBytes = segments ? dataBytesOf(segments) : content.sizeBytes;
    const state: ReadState = { start: this.#out.mark(), problem: null, isUntouched: true, isLeftOut: false };
    this.#writeHeader(entry, {
      storedBytes: dataBytes + (map?.byteLength ?? 0),
      sparseSizeBytes: map && content.sizeBytes,
    });
    if (map) this.#out.write(map);
    if (!segments) yield* this.#copyRange(entry, content, { offset: 0, length: dataBytes }, state);
    else for (const segment of segments) yield* this.#copyRange(entry, content, segment, state);
    if (state.problem) this.#options.onProblem(state.problem);
    if (state.isLeftOut) return;
    this.#writePadding(dataBytes);
    this.#options.onEntry?.(entry, dataBytes);
  }

  /** Copies one stretch of a file straight into the blocks; after a failure it copies zeros. */
  *#copyRange(entry: SourceEntry, content: SyncContent, range: DataSegment, state: ReadState): Generator<Uint8Array> {
    const out = this.#out;
    let done = 0;
    while (done < range.length && !state.isLeftOut) {
      const room = out.room(range.length - done);
      const count = state.problem ? 0 : this.#readSome(entry, content, { room, position: range.offset + done }, state);
      if (state.isLeftOut) return;
      if (state.problem) done += out.writeSomeZeros(room);
      else {
        out.advance(count);
        done += count;
      }
      while (out.ready.length > 0) {
        yield out.ready.shift() as Uint8Array;
        throwIfCancelled(this.#options.signal);
      }
    }
  }

  #readSome(
    entry: SourceEntry,
    content: SyncContent,
    want: { readonly room: number; readonly position: number },
    state: ReadState,
  ): number {
    try {
      const count = content.read(this.#out.block, this.#out.used, want.room, want.position);
      if (count > 0) {
        state.isUntouched = false;
        return count;
      }
      state.problem = problemOf(entry, 'changed', `it ended after ${want.position} of ${content.sizeBytes} bytes`);
    } catch (error) {
      state.problem = problemOf(entry, 'unreadable', messageOf(error));
      state.isLeftOut = state.isUntouched && this.#out.rewind(state.start);
    }
    return 0;
  }

  /** An entry whose data comes from a process or socket. */
  async *streamEntry(entry: SourceEntry, content: StreamContent): AsyncGenerator<Uint8Array> {
    const out = this.#out;
    if (content.sizeBytes === null) {
      yield* this.#streamInParts(entry, content.stream);
      return;
    }
    const { sizeBytes } = content;
    this.#writeHeader(entry, { storedBytes: sizeBytes, sparseSizeBytes: null });
    const progress: StreamProgress = { done: 0, problem: null };
    yield* this.#copyStream(entry, content.stream, sizeBytes, progress);
    while (progress.done < sizeBytes) {
      progress.done += out.writeSomeZeros(sizeBytes - progress.done);
      while (out.ready.length > 0) yield out.ready.shift() as Uint8Array;
    }
    this.#writePadding(sizeBytes);
    if (progress.problem) this.#options.onProblem(progress.problem);
    this.#options.onEntry?.(entry, sizeBytes);
    while (out.ready.length > 0) yield out.ready.shift() as Uint8Array;
  }

  async *#copyStream(
    entry: SourceEntry,
    stream: AsyncIterable<Uint8Array>,
    sizeBytes: number,
    progress: StreamProgress,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      throwIfCancelled(this.#options.signal);
      const part = chunk.subarray(0, sizeBytes - progress.done);
      this.#out.write(part);
      progress.done += part.byteLength;
      while (this.#out.ready.length > 0) yield this.#out.ready.shift() as Uint8Array;
      if (part.byteLength === chunk.byteLength) continue;
      progress.problem = problemOf(entry, 'changed', `it is longer than the announced ${sizeBytes} bytes`);
      return;
    }
    if (progress.done === sizeBytes) return;
    progress.problem = problemOf(entry, 'changed', `it ended after ${progress.done} of ${sizeBytes} bytes`);
  }

  /** A part is held back until it is known whether it is the last; what fits into one is an ordinary file. */
  async *#streamInParts(entry: SourceEntry, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const part = Buffer.allocUnsafeSlow(PART_BYTES);
    let [used, number, total] = [0, 0, 0];
    for await (const chunk of stream) {
      throwIfCancelled(this.#options.signal);
      for (let at = 0; at < chunk.byteLength; ) {
        if (used === PART_BYTES) {
          number += 1;
          this.#writePart(entry, part, { number, isLast: false });
          while (this.#out.ready.length > 0) yield this.#out.ready.shift() as Uint8Array;
          used = 0;
        }
        const count = Math.min(PART_BYTES - used, chunk.byteLength - at);
        part.set(chunk.subarray(at, at + count), used);
        used += count;
        at += count;
      }
      total += chunk.byteLength;
    }
    this.#writePart(entry, part.subarray(0, used), { number: number + 1, isLast: true });
    this.#options.onEntry?.(entry, total);
    while (this.#out.ready.length > 0) yield this.#out.ready.shift() as Uint8Array;
  }

  #writePart(entry: SourceEntry, bytes: Uint8Array, mark: { number: number; isLast: boolean }): void {
    const layout = { storedBytes: bytes.byteLength, sparseSizeBytes: null };
    if (mark.number === 1 && mark.isLast) this.#writeHeader(entry, layout);
    else this.#writeHeader(partEntry(entry, mark.number), { ...layout, comment: partComment(mark) });
    this.#out.write(bytes);
    this.#writePadding(bytes.byteLength);
  }

  /** Two records of zeros end an archive. */
  *end(): Generator<Uint8Array> {
    this.#out.write(new Uint8Array(2 * RECORD_BYTES));
    this.#out.finish();
    yield* this.#out.ready.splice(0);
  }

  #writeHeader(entry: SourceEntry, layout: MemberLayout): void {
    const out = this.#out;
    const header = encodeMember(entry, layout);
    if (header.pax) {
      const paxAt = out.record();
      writePaxHeader(out.block, paxAt, header.pax.byteLength);
      out.advance(RECORD_BYTES);
      out.write(header.pax);
      this.#writePadding(header.pax.byteLength);
    }
    const at = out.record();
    writeUstar(out.block, at, entry, header, layout.storedBytes);
    out.advance(RECORD_BYTES);
  }

  #writePadding(sizeBytes: number): void {
    let left = paddingOf(sizeBytes);
    while (left > 0) left -= this.#out.writeSomeZeros(left);
  }
}

function problemOf(entry: SourceEntry, code: 'changed' | 'unreadable', message: string): ItemProblem {
  return { path: displayPath(entry.path), code, message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
