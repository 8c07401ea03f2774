/**
 * The list of contents stored beside an artifact, so that browsing a backup needs no look into the archive.
 *
 * Format: NDJSON, one entry a line in archive order, `path` always first:
 * `{"path":"/srv/a.txt","type":"file","size":12,"modifiedAt":"2026-01-02T03:04:05.678Z","mode":420}` and `linkTarget`
 * for links. Paths are display paths (`display-path.ts`), sizes bytes, modes the permission bits as a number.
 * Stored zstd-compressed, and encrypted like its artifact.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, read, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '@backupx/contracts/errors';
import type { ArtifactEntry } from '@backupx/contracts/jobs';
import type { SourceEntry } from '../ports/source.ts';
import { displayPath } from './display-path.ts';

const readAt = promisify(read);

const BUFFER_BYTES = 256 * 1024;
/** Longest line a single entry is expected to make; longer ones are written on their own. */
const FLUSH_AT_BYTES = BUFFER_BYTES - 16 * 1024;
const READ_CHUNK_BYTES = 1024 * 1024;
const NS_PER_MS = 1_000_000n;
const MAX_DATE_MS = 8.64e15;

/** One line of the list. */
export type ContentsLine = Omit<ArtifactEntry, 'name'>;

/**
 * Collects the list in a temporary file while an archive is written; memory stays the same however many entries come.
 * The file loses its name at once, so nothing is left behind when the process dies.
 */
export class ContentsIndexWriter {
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #used = 0;
  #sizeBytes = 0;
  #isClosed = false;

  /** `tempDir` is created when missing. Throws INTERNAL when it cannot be written to. */
  constructor(tempDir: string) {
    try {
      mkdirSync(tempDir, { recursive: true });
      const path = join(tempDir, `contents-${randomUUID()}.tmp`);
      this.#descriptor = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    } catch (error) {
      throw new AppError('INTERNAL', {}, { cause: error });
    }
  }

  /**
   * Adds an entry; synchronous, meant for `onEntry` of the tar writer. `storedSize` stands in for the size of streams
   * that did not announce one. Throws STORAGE_FULL when the temporary folder is full.
   */
  add(entry: SourceEntry, storedSize: number): void {
    const line = `${JSON.stringify(lineOf(entry, storedSize))}\n`;
    // At most three bytes of UTF-8 per UTF-16 unit.
    if (line.length * 3 > BUFFER_BYTES - this.#used) this.#flush();
    if (line.length * 3 > BUFFER_BYTES) this.#write(Buffer.from(line, 'utf8'));
    else this.#used += this.#buffer.write(line, this.#used, 'utf8');
    if (this.#used > FLUSH_AT_BYTES) this.#flush();
  }

  /** The whole list, in chunks of 1 MiB (each a new buffer); may be read several times, before `close`. */
  async *openContents(): AsyncGenerator<Uint8Array> {
    this.#flush();
    for (let position = 0; position < this.#sizeBytes; ) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, this.#sizeBytes - position));
      const { bytesRead } = await readAt(this.#descriptor, chunk, 0, chunk.byteLength, position);
      if (bytesRead === 0) throw new AppError('INTERNAL', {}, { cause: new Error('the list of contents shrank') });
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  /** Frees the temporary file. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.byteLength - done, this.#sizeBytes + done);
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOSPC') throw new AppError('INTERNAL', {}, { cause: error });
      throw new AppError('STORAGE_FULL', { reason: 'the temporary folder is full' }, { cause: error });
    }
    this.#sizeBytes += bytes.byteLength;
  }
}

function lineOf(entry: SourceEntry, storedSize: number): ContentsLine {
  return {
    path: displayPath(entry.path),
    type: entry.type,
    size: entry.content ? (entry.content.sizeBytes ?? storedSize) : 0,
    modifiedAt: rfc3339(entry.modifiedAtNs),
    mode: entry.mode & 0o7777,
    ...(entry.linkTarget ? { linkTarget: displayPath(entry.linkTarget) } : {}),
  };
}

function rfc3339(ns: bigint): string | null {
  const ms = Number(ns / NS_PER_MS);
  if (Math.abs(ms) > MAX_DATE_MS) return null;
  const day = Math.floor(ms / DAY_MS);
  if (day !== lastDay.number) {
    const text = new Date(ms).toISOString();
    lastDay = { number: day, text: text.slice(0, text.indexOf('T') + 1) };
  }
  const inDay = ms - day * DAY_MS;
  const two = (value: number) => (value < 10 ? `0${value}` : `${value}`);
  const clock = `${two(Math.floor(inDay / 3_600_000))}:${two(Math.floor(inDay / 60_000) % 60)}`;
  const seconds = `${two(Math.floor(inDay / 1000) % 60)}.${`${inDay % 1000}`.padStart(3, '0')}`;
  return `${lastDay.text}${clock}:${seconds}Z`;
}

const DAY_MS = 86_400_000;
/** Neighbours in a tree are mostly of one day; the runtime's own formatting was a tenth of the reading thread. */
let lastDay = { number: Number.NaN, text: '' };
