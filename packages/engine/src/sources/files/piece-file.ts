import { closeSync, fstatSync, ftruncateSync, readSync, renameSync, writeSync } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { ExistingContent, RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { applyToDescriptor } from './apply-metadata.ts';
import type { BytePath } from './byte-paths.ts';
import type { FolderChain } from './folder-chain.ts';
import type { Place } from './restore-places.ts';
import {
  chainOf,
  countWritten,
  passingName,
  type RestoreState,
  reportFailure,
  temporaryName,
} from './restore-state.ts';
import { CONTINUED_BYTES, createUnfinished, hasOwner, isStillThere, mayMakeInPlace } from './unfinished-file.ts';
import { createExclusively, removeIfThere } from './write-item.ts';

/** Zeros become a hole from this many on. */
const HOLE_BYTES = 64 * 1024;
const zeros = Buffer.alloc(HOLE_BYTES);

/** Content that was found; `continue`: under the temporary name of the file. */
export interface FoundContent {
  readonly descriptor: number;
  readonly use: ExistingContent['use'];
}

export interface PieceFileParts {
  readonly state: RestoreState;
  readonly found: FoundContent | null;
  /** Nothing stands in its place. */
  readonly isNew: boolean;
}

/**
 * A file made of pieces under a temporary name, which is created with the first piece; a small new one that comes in one
 * piece is made under its own name (`unfinished-file.ts`). Until then nothing is open, so thousands may wait for their
 * content.
 */
export class PieceFile implements RestoreFile {
  readonly existing: ExistingContent | null;
  readonly #entry: RestoreFileEntry;
  readonly #place: Place;
  readonly #state: RestoreState;
  readonly #isNew: boolean;
  #temporary: BytePath = '';
  /** Open file of the right content. */
  #kept: number | null = null;
  /** Open file under the temporary name, or its own. */
  #descriptor: number | null = null;
  #isInPlace = false;
  #isOpen = true;
  #writtenBytes = 0;
  #writtenTo = 0;

  constructor(entry: RestoreFileEntry, place: Place, { state, found, isNew }: PieceFileParts) {
    this.#entry = entry;
    this.#place = place;
    this.#state = state;
    this.#isNew = isNew;
    this.existing = found && {
      use: found.use,
      read: (target, position) => readExisting(this.#kept, target, position),
    };
    if (!found) return;
    this.#kept = found.descriptor;
    if (found.use !== 'continue') return;
    this.#temporary = temporaryName(place);
    this.#descriptor = found.descriptor;
    this.#writtenTo = fstatSync(found.descriptor).size;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  closeExisting(): void {
    const kept = this.#kept;
    this.#kept = null;
    if (kept !== null && kept !== this.#descriptor) closeSync(kept);
  }

  writeAt(bytes: Uint8Array, position: number): void {
    if (!this.#isOpen) return;
    try {
      this.#write(bytes, position);
    } catch (error) {
      this.#fail(error);
    }
  }

  finish(): boolean {
    if (!this.#isOpen) return false;
    try {
      this.#putInPlace();
      return true;
    } catch (error) {
      return this.#fail(error);
    }
  }

  keepExisting(): boolean {
    if (!this.#isOpen) return false;
    try {
      if (this.#kept === null || this.existing?.use !== 'keep') throw new Error('there is nothing that may stay');
      this.#applyMetadata(this.#kept, this.#place.name);
      this.#closeAll();
      this.#end();
      return true;
    } catch (error) {
      return this.#fail(error);
    }
  }

  discard(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      if (this.#temporary !== '') this.#removeMade();
    } catch {
      // The next restore clears it away.
    }
    try {
      this.#closeAll();
    } catch {
      // What could not be written is not wanted any more.
    }
  }

  #removeMade(): void {
    const chain = this.#enter();
    const descriptor = this.#isInPlace ? this.#descriptor : null;
    if (descriptor !== null && !isStillThere(chain, this.#temporary, descriptor)) return;
    removeIfThere(chain.pathOf(this.#temporary));
  }

  #end(): void {
    this.#isOpen = false;
    countWritten(this.#entry.path, this.#writtenBytes, this.#state);
  }

  /** What fails ends the file and is reported. */
  #fail(error: unknown): false {
    this.discard();
    reportFailure(this.#entry.path, error, this.#state);
    return false;
  }

  /** The chain, in the folder of the file. */
  #enter(): FolderChain {
    const chain = chainOf(this.#state.pieceChains, this.#place);
    chain.enter(this.#place.folder);
    return chain;
  }

  /** `bytes`: how much of it comes at once. */
  #openNew(bytes: number): number {
    if (this.#descriptor !== null) return this.#descriptor;
    const entry = this.#entry;
    const chain = this.#enter();
    const mayBeInPlace = this.#isNew && bytes === entry.sizeBytes && mayMakeInPlace(entry);
    let descriptor = mayBeInPlace ? createUnfinished(chain, this.#place.name) : null;
    let name = this.#place.name;
    this.#isInPlace = descriptor !== null;
    if (descriptor === null) {
      name = entry.sizeBytes < CONTINUED_BYTES ? passingName() : temporaryName(this.#place);
      descriptor = createExclusively(chain.textPathOf(name));
    }
    this.#temporary = name;
    this.#descriptor = descriptor;
    return descriptor;
  }

  #putInPlace(): void {
    const descriptor = this.#openNew(0);
    if (this.#writtenTo !== this.#entry.sizeBytes) ftruncateSync(descriptor, this.#entry.sizeBytes);
    this.#applyMetadata(descriptor, this.#temporary);
    this.#closeAll();
    if (!this.#isInPlace) {
      const chain = this.#enter();
      renameSync(chain.pathOf(this.#temporary), chain.pathOf(this.#place.name));
    }
    this.#end();
  }

  #applyMetadata(descriptor: number, name: BytePath): void {
    const entry = this.#entry;
    const { owners } = this.#state;
    const path = entry.xattrs ? this.#enter().textPathOf(name) : '';
    const isMade = this.#isInPlace && hasOwner(this.#enter(), entry, owners);
    const failures = applyToDescriptor({ descriptor, path, hasOwner: isMade }, entry, owners);
    if (failures.length === 0) return;
    this.#state.context.problem({ path: displayPath(entry.path), code: 'metadata', message: failures.join('; ') });
  }

  #closeAll(): void {
    this.closeExisting();
    const descriptor = this.#descriptor;
    // Also when it fails it is closed, and the number may be somebody else's file by now.
    this.#descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }

  #write(bytes: Uint8Array, position: number): void {
    const descriptor = this.#openNew(bytes.byteLength);
    if (position + bytes.byteLength > this.#entry.sizeBytes) throw new Error('a piece lies behind the end of its file');
    // What is there already of a file that goes on may be anything, so zeros must be written into it.
    const mayHaveHoles = bytes.byteLength >= HOLE_BYTES && this.existing?.use !== 'continue';
    if (mayHaveHoles) this.#writeData(descriptor, bytes, position);
    else this.#writeAll(descriptor, bytes, position);
    this.#writtenBytes += bytes.byteLength;
    this.#state.context.progress({ bytes: bytes.byteLength });
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
