/** A dump on its way into a scratch database, in either of pg_dump's formats. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import type { DumpFormat, Toc } from './archive-toc.ts';
import { TOC_FILE } from './entry-paths.ts';
import { FolderScanner } from './folder-scanner.ts';
import { type RestoreRun, restoreFromPath, restoreFromStream } from './run-pg-restore.ts';
import type { Server } from './server.ts';

export interface DumpInput {
  readonly database: string;
  readonly format: DumpFormat;
  /** What is in it; before anything else is asked. Throws DATABASE_DUMP_DAMAGED. */
  readToc(): Promise<Toc>;
  /** Runs pg_restore on it, and reads it to its end. Throws DATABASE_*. */
  restore(run: RestoreRun): Promise<void>;
  /** Known when that is done. */
  readonly counts: Pick<ArchiveScanner, 'rows' | 'largeObjects'>;
}

/** A dump that cannot be restored. */
export function damaged(database: string, reason: string): AppError {
  return new AppError('DATABASE_DUMP_DAMAGED', { name: `database "${database}"`, reason });
}

/** A file in the custom format, which is scanned while it streams. */
export class StreamedDump implements DumpInput {
  readonly database: string;
  readonly format = 'custom';
  readonly counts = new ArchiveScanner();
  readonly #bytes: AsyncIterator<Uint8Array>;
  readonly #head: Uint8Array[] = [];

  constructor(content: AsyncIterable<Uint8Array>, database: string) {
    this.database = database;
    this.#bytes = scanned(content, this.counts, (reason) => damaged(database, reason))[Symbol.asyncIterator]();
  }

  async readToc(): Promise<Toc> {
    for (;;) {
      const { value, done } = await this.#bytes.next();
      // Who ends without contents has thrown already.
      if (done) throw damaged(this.database, 'it is empty');
      this.#head.push(Uint8Array.from(value));
      if (this.counts.toc) return this.counts.toc;
    }
  }

  async restore(run: RestoreRun): Promise<void> {
    if (run.parallelJobs === 1) {
      await restoreFromStream(this.#all(), run);
      return;
    }
    // Several connections need to jump about in the dump.
    const path = run.server.secrets.write('restored.pgc', '');
    try {
      await writeTo(path, this.#all(), run);
      await restoreFromPath(path, run);
    } finally {
      run.server.secrets.discard(path);
    }
  }

  async *#all(): AsyncGenerator<Uint8Array> {
    yield* this.#head;
    for (;;) {
      const { value, done } = await this.#bytes.next();
      if (done) return;
      yield value;
    }
  }
}

/** The files of a dump in the directory format, put into a folder until all have come; its contents come last. */
export class StagedDump implements DumpInput {
  readonly database: string;
  readonly format = 'directory';
  readonly counts: FolderScanner;
  readonly #server: Server;
  readonly #folder: string;

  /** Throws what the file system says. */
  constructor(server: Server, database: string) {
    this.database = database;
    this.#server = server;
    this.#folder = server.secrets.folder('restored');
    this.counts = new FolderScanner((reason) => damaged(database, reason));
  }

  /** Throws DATABASE_DUMP_DAMAGED, and RESTORE_TARGET_INVALID without room. */
  async take(file: string, content: AsyncIterable<Uint8Array>, run: Pick<RestoreRun, 'onBytes'>): Promise<void> {
    const { secrets } = this.#server;
    // The name is that of a file of a dump (see placeOf); which of them may be there is looked at as its bytes pass.
    const bytes = this.counts.taking(file, content);
    await writeTo(join(this.#folder, file), bytes, run);
    secrets.own(join(this.#folder, file));
  }

  async readToc(): Promise<Toc> {
    return this.counts.end();
  }

  async restore(run: RestoreRun): Promise<void> {
    await restoreFromPath(this.#folder, run);
  }

  /** Removes the files. Idempotent. */
  remove(): void {
    this.#server.secrets.discard(this.#folder);
  }
}

/** True for the file that comes last. */
export function endsDump(file: string): boolean {
  return file === TOC_FILE;
}

async function writeTo(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  { onBytes }: Pick<RestoreRun, 'onBytes'>,
): Promise<void> {
  let handle: number | null = null;
  try {
    handle = openSync(path, 'a', 0o600);
    for await (const chunk of bytes) {
      onBytes(chunk.byteLength);
      for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
    }
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('RESTORE_TARGET_INVALID', { path, reason: String(error) });
  } finally {
    if (handle !== null) closeSync(handle);
  }
}
