/**
 * The folder in which segments arrive. PostgreSQL's program goes on after the newest that is in it, so that one stays
 * until a newer one has come; in an empty folder an empty file stands for the newest one that is archived.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { WAL_HEADER_BYTES } from '../wal-header.ts';
import { parseWalName, type WalKind } from '../wal-names.ts';

/** See above. Synchronous: a few small calls. */
export class Spool {
  readonly path: string;

  /** The folder is there. */
  constructor(path: string) {
    this.path = path;
  }

  /** Whole segments, in the order of the log. */
  segments(): string[] {
    return this.#names('segment');
  }

  partials(): string[] {
    return this.#names('partial');
  }

  histories(): string[] {
    return this.#names('history');
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** What it takes on the disk. */
  sizeBytes(): number {
    const names = [...this.segments(), ...this.partials()];
    return names.reduce(
      (sum, name) => sum + (statSync(this.at(name), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
      0,
    );
  }

  isEmpty(): boolean {
    return this.segments().length === 0 && this.partials().length === 0;
  }

  /** Lets the program go on after this segment, which is in the archive. */
  standIn(name: string, segmentBytes: number): void {
    // A file of another size would be passed over, and what comes next with it.
    const temp = this.at('.stand-in');
    const fd = openSync(temp, 'w', 0o600);
    try {
      ftruncateSync(fd, segmentBytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temp, this.at(name));
  }

  /** True for such an empty file. */
  isStandIn(name: string): boolean {
    const start = Buffer.alloc(WAL_HEADER_BYTES);
    const fd = openSync(this.at(name), 'r');
    try {
      readSync(fd, start);
    } finally {
      closeSync(fd);
    }
    return start.every((byte) => byte === 0);
  }

  remove(name: string): void {
    rmSync(this.at(name), { force: true });
  }

  #names(kind: WalKind): string[] {
    const names = readdirSync(this.path).filter((name) => parseWalName(name)?.kind === kind);
    // By place in the log, then by timeline.
    const place = (name: string) => name.slice(8, 24) + name.slice(0, 8);
    return names.sort((a, b) => (place(a) < place(b) ? -1 : 1));
  }
}
