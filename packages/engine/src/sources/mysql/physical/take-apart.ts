/**
 * Files out of a stream that mixes them. One file passes straight through; what comes of others meanwhile waits in a
 * folder until its end. With one copying thread that is only the redo log, which the tools write all the time.
 */
import { closeSync, createReadStream, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamPart } from './read-chunks.ts';

export interface StreamFile {
  /** Relative to the data folder. */
  readonly path: string;
  /** To be read to its end, or not at all, before the next file is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Files that are written from the beginning of a backup to its end. */
const REDO_LOG = /^(?:ib_logfile\d+|xtrabackup_logfile)$/;

interface Waiting {
  readonly file: string;
  readonly handle: number;
}

/** `folder`: for what has to wait; who calls removes it. Throws what the parts throw, and file system errors. */
export async function* takeApart(parts: AsyncGenerator<StreamPart>, folder: string): AsyncGenerator<StreamFile> {
  const waiting = new Map<string, Waiting>();
  const whole: (Waiting & { readonly path: string })[] = [];
  let count = 0;

  function setAside(part: StreamPart): void {
    let place = waiting.get(part.path);
    if (!place) {
      const file = join(folder, `part-${count++}`);
      place = { file, handle: openSync(file, 'wx', 0o600) };
      waiting.set(part.path, place);
    }
    if (part.bytes) for (let at = 0; at < part.bytes.byteLength; ) at += writeSync(place.handle, part.bytes, at);
    else {
      closeSync(place.handle);
      waiting.delete(part.path);
      whole.push({ ...place, path: part.path });
    }
  }

  async function* straight(first: StreamPart): AsyncGenerator<Uint8Array> {
    for (let part = first; part.bytes; ) {
      yield part.bytes;
      for (;;) {
        const next = await parts.next();
        if (next.done) return;
        part = next.value;
        if (part.path === first.path) break;
        setAside(part);
      }
    }
  }

  try {
    for (let next = await parts.next(); !next.done; next = await parts.next()) {
      const { path } = next.value;
      if (waiting.has(path) || REDO_LOG.test(path)) setAside(next.value);
      else yield* readWhole(path, straight(next.value));
      for (let file = whole.shift(); file; file = whole.shift()) {
        yield { path: file.path, content: createReadStream(file.file) };
        rmSync(file.file, { force: true });
      }
    }
  } finally {
    for (const { handle } of waiting.values()) closeSync(handle);
    await parts.return(undefined);
  }
}

async function* readWhole(path: string, content: AsyncGenerator<Uint8Array>): AsyncGenerator<StreamFile> {
  yield { path, content };
  // Who did not want it has not read it; the parts must pass all the same.
  for await (const _ of content);
}
