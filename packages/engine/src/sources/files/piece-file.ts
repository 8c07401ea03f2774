import { closeSync, fstatSync, ftruncateSync, readSync, renameSync, writeSync } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { ExistingContent, RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { applyToDescriptor } from './apply-metadata.ts';
import type { BytePath } from './byte-paths.ts';
import type { FolderChain } from './folder-chain.ts';
import type { Place } from './restore-places.ts';
import { chainOf, countWritten, type RestoreState, reportFailure } from './restore-state.ts';
import { createExclusively, removeIfThere } from './write-item.ts';

/** Zeros become a hole from this many on. */
const HOLE_BYTES = 64 * 1024;
const zeros = Buffer.alloc(HOLE_BYTES);

export interface PieceFileStart {
  readonly entry: RestoreFileEntry;
  readonly state: RestoreState;
  readonly place: Place;
  readonly name: BytePath;
  readonly temporary: BytePath;
  /** Open file behind `existing`; with `use: 'continue'` it is the one under the temporary name. */
  readonly descriptor: number | null;
  readonly use: ExistingContent['use'];
}

/**
 * A file made of pieces under a temporary name, which is created with the first piece. Nothing is open between two
 * pieces of a file that has only one, so thousands of small ones may wait for their content.
 */
export class PieceFile implements RestoreFile {
  readonly existing: ExistingContent | null;
  readonly #start: PieceFileStart;
  /** Open file of the right content. */
  #kept: number | null;
  /** Open file under the temporary name. */
  #descriptor: number | null = null;
  #isOpen = true;
  #writtenBytes = 0;
  #writtenTo = 0;

  constructor(start: PieceFileStart) {
    this.#start = start;
    const { descriptor, use } = start;
    this.#kept = descriptor;
    if (descriptor === null) this.existing = null;
    else this.existing = { use, read: (target, position) => readExisting(this.#kept, target, position) };
    if (descriptor !== null && use === 'continue') {
      this.#descriptor = descriptor;
      this.#writtenTo = fstatSync(descriptor).size;
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  closeExisting(): void {
    if (this.#kept !== null && this.#kept !== this.#descriptor) closeSync(this.#kept);
    this.#kept = null;
  }

  writeAt(bytes: Uint8Array, position: number): void {
    this.#attempt(() => {
      const { entry, state, use } = this.#start;
      const descriptor = this.#openTemporary();
      const end = position + bytes.byteLength;
      // What is there already of a file that goes on may be anything, so zeros must be written into it.
      const mayHaveHoles = bytes.byteLength >= HOLE_BYTES && use !== 'continue';
      if (mayHaveHoles) this.#writeData(descriptor, bytes, position);
      else this.#writeAll(descriptor, bytes, position);
      if (end > entry.sizeBytes) throw new Error('a piece lies behind the end of its file');
      this.#writtenBytes += bytes.byteLength;
      state.context.progress({ bytes: bytes.byteLength });
    });
  }

  finish(): boolean {
    return this.#attempt(() => {
      const { entry, name, temporary } = this.#start;
      const descriptor = this.#openTemporary();
      if (this.#writtenTo !== entry.sizeBytes) ftruncateSync(descriptor, entry.sizeBytes);
      const chain = this.#enter();
      this.#applyMetadata(descriptor, chain.textPathOf(temporary));
      this.#closeAll();
      renameSync(chain.pathOf(temporary), chain.pathOf(name));
      this.#end();
    });
  }

  keepExisting(): boolean {
    return this.#attempt(() => {
      if (this.#kept === null || this.#start.use !== 'keep') throw new Error('there is nothing that may stay');
      this.#applyMetadata(this.#kept, this.#enter().textPathOf(this.#start.name));
      this.#closeAll();
      this.#end();
    });
  }

  discard(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const hasTemporary = this.#descriptor !== null;
    this.#closeAll();
    if (!hasTemporary) return;
    try {
      removeIfThere(this.#enter().pathOf(this.#start.temporary));
    } catch {
      // The next restore clears it away.
    }
  }

  #end(): void {
    this.#isOpen = false;
    countWritten(this.#start.entry.path, this.#writtenBytes, this.#start.state);
  }

  /** Runs a step of an open file; what fails ends the file and is reported. */
  #attempt(step: () => void): boolean {
    if (!this.#isOpen) return false;
    try {
      step();
      return true;
    } catch (error) {
      this.discard();
      reportFailure(this.#start.entry.path, error, this.#start.state);
      return false;
    }
  }

  /** The chain, in the folder of the file. */
  #enter(): FolderChain {
    const { place, state } = this.#start;
    const chain = chainOf(state.pieceChains, place);
    chain.enter(place.names.slice(0, -1));
    return chain;
  }

  #openTemporary(): number {
    this.#descriptor ??= createExclusively(this.#enter().textPathOf(this.#start.temporary));
    return this.#descriptor;
  }

  #applyMetadata(descriptor: number, path: BytePath): void {
    const { entry, state } = this.#start;
    const failures = applyToDescriptor({ descriptor, path }, entry, state.owners);
    if (failures.length === 0) return;
    state.context.problem({ path: displayPath(entry.path), code: 'metadata', message: failures.join('; ') });
  }

  #closeAll(): void {
    this.closeExisting();
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  /** Writes what lies between long runs of zeros. */
  #writeData(descriptor: number, bytes: Uint8Array, position: number): void {
    let from = 0;
    for (let at = 0; at < bytes.byteLength; at += HOLE_BYTES) {
      if (!isZero(bytes, at, Math.min(HOLE_BYTES, bytes.byteLength - at))) continue;
      if (at > from) this.#writeAll(descriptor, bytes.subarray(from, at), position + from);
      from = at + HOLE_BYTES;
    }
    if (from < bytes.byteLength) this.#writeAll(descriptor, bytes.subarray(from), position + from);
  }

  #writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.byteLength; ) {
      at += writeSync(descriptor, bytes, at, bytes.byteLength - at, position + at);
    }
    this.#writtenTo = Math.max(this.#writtenTo, position + bytes.byteLength);
  }
}

/** The first bytes tell nearly always. */
function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  if (bytes[at] !== 0 || bytes[at + length - 1] !== 0) return false;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
  return zeros.compare(block, 0, length, 0, length) === 0;
}

/** Reads until `target` is full, the end, or an error: what cannot be read is not what was looked for. */
export function readExisting(descriptor: number | null, target: Uint8Array, position: number): number {
  let done = 0;
  try {
    while (descriptor !== null && done < target.byteLength) {
      const count = readSync(descriptor, target, done, target.byteLength - done, position + done);
      if (count === 0) break;
      done += count;
    }
  } catch {
    // The bytes so far are right, the others are missing.
  }
  return done;
}
