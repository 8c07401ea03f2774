import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

/** What a restore did to one place, in the order it was done. */
export interface JournalRecord {
  /** `staged`: waits beside its place; `created`: new, in place; `folder`: new folder; `metadata`: set at the end. */
  readonly kind: 'staged' | 'created' | 'folder' | 'metadata';
  /** Which base folder, and the names below it (bytes as latin1, joined by `/`). */
  readonly base: number;
  readonly place: string;
  /** For `metadata` only. */
  readonly data?: string;
}

/**
 * What a restore did, apart by what must be looked at again: new items only when everything is taken back, staged ones
 * and folders at the end as well.
 */
export interface RestoreJournals {
  readonly created: RestoreJournal;
  readonly staged: RestoreJournal;
  readonly folders: RestoreJournal;
}

/** `stem`: path of the files, without their ends. */
export function openJournals(stem: string): RestoreJournals {
  const open = (name: string) => new RestoreJournal(`${stem}.${name}`);
  return { created: open('created'), staged: open('staged'), folders: open('folders') };
}

const BUFFER_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

/**
 * A list in a file, so that memory does not grow with the number of restored items. Every record carries its length
 * at both ends, which lets it be read from either end. Written and read by one restore only.
 */
export class RestoreJournal {
  readonly #path: string;
  readonly #descriptor: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #size = 0;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, 'wx+', 0o600);
  }

  append(record: JournalRecord): void {
    const body = Buffer.from(JSON.stringify(record), 'utf8');
    const frame = Buffer.allocUnsafe(body.byteLength + 2 * LENGTH_BYTES);
    frame.writeUInt32LE(body.byteLength, 0);
    body.copy(frame, LENGTH_BYTES);
    frame.writeUInt32LE(body.byteLength, LENGTH_BYTES + body.byteLength);
    this.#pending.push(frame);
    this.#pendingBytes += frame.byteLength;
    if (this.#pendingBytes >= BUFFER_BYTES) this.#flush();
  }

  *forwards(): Generator<JournalRecord> {
    this.#flush();
    for (let at = 0; at < this.#size; ) {
      const length = this.#read(at, LENGTH_BYTES).readUInt32LE(0);
      yield parseRecord(this.#read(at + LENGTH_BYTES, length));
      at += length + 2 * LENGTH_BYTES;
    }
  }

  *backwards(): Generator<JournalRecord> {
    this.#flush();
    for (let at = this.#size; at > 0; ) {
      const length = this.#read(at - LENGTH_BYTES, LENGTH_BYTES).readUInt32LE(0);
      yield parseRecord(this.#read(at - LENGTH_BYTES - length, length));
      at -= length + 2 * LENGTH_BYTES;
    }
  }

  /** Closes and removes the file. */
  discard(): void {
    closeSync(this.#descriptor);
    unlinkSync(this.#path);
  }

  #flush(): void {
    if (this.#pendingBytes === 0) return;
    const bytes = Buffer.concat(this.#pending);
    for (let at = 0; at < bytes.byteLength; ) {
      at += writeSync(this.#descriptor, bytes, at, bytes.byteLength - at, this.#size + at);
    }
    this.#size += bytes.byteLength;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const got = readSync(this.#descriptor, bytes, at, length - at, position + at);
      if (got === 0) throw new Error('the list of restored items was cut off');
      at += got;
    }
    return bytes;
  }
}

function parseRecord(bytes: Buffer): JournalRecord {
  return JSON.parse(bytes.toString('utf8')) as JournalRecord;
}
