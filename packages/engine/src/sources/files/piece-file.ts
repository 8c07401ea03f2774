import { closeSync, fstatSync, ftruncateSync, readSync, renameSync } from 'node:fs';
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
import { CONTINUED_BYTES, makeSmallFile, mayMakeInPlace } from './unfinished-file.ts';
import { writeAll, writeData } from './write-bytes.ts';
import { createExclusively, removeIfThere } from './write-item.ts';

const nothing = new Uint8Array(0);

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
  /** Open file under the temporary name. */
  #descriptor: number | null = null;
  /** It is in its place with all its metadata. */
  #isMade = false;
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
      if (this.#isMade || this.#temporary !== '') this.#removeMade();
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
    removeIfThere(this.#enter().pathOf(this.#isMade ? this.#place.name : this.#temporary));
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

  #openTemporary(): number {
    if (this.#descriptor !== null) return this.#descriptor;
    const name = this.#entry.sizeBytes < CONTINUED_BYTES ? passingName() : temporaryName(this.#place);
    this.#descriptor = createExclusively(this.#enter().textPathOf(name));
    this.#temporary = name;
    return this.#descriptor;
  }

  #putInPlace(): void {
    const { sizeBytes } = this.#entry;
    if (!this.#isMade && !(sizeBytes === 0 && this.#makeAtOnce(nothing))) {
      const descriptor = this.#openTemporary();
      if (this.#writtenTo !== sizeBytes) ftruncateSync(descriptor, sizeBytes);
      this.#applyMetadata(descriptor, this.#temporary);
      this.#closeAll();
      const chain = this.#enter();
      renameSync(chain.pathOf(this.#temporary), chain.pathOf(this.#place.name));
    }
    this.#end();
  }

  /** Makes a file whose content comes as a whole; false: it must be made under a temporary name. */
  #makeAtOnce(bytes: Uint8Array): boolean {
    const entry = this.#entry;
    if (this.#isMade) return true;
    if (!this.#isNew || this.#descriptor !== null || !mayMakeInPlace(entry)) return false;
    const failures = makeSmallFile(this.#enter(), { name: this.#place.name, entry, bytes }, this.#state.owners);
    this.#isMade = failures !== null;
    if (failures) this.#reportMetadata(failures);
    return this.#isMade;
  }

  #applyMetadata(descriptor: number, name: BytePath): void {
    const entry = this.#entry;
    const path = entry.xattrs ? this.#enter().textPathOf(name) : '';
    this.#reportMetadata(applyToDescriptor({ descriptor, path }, entry, this.#state.owners));
  }

  #reportMetadata(failures: readonly string[]): void {
    if (failures.length === 0) return;
    const path = displayPath(this.#entry.path);
    this.#state.context.problem({ path, code: 'metadata', message: failures.join('; ') });
  }

  #closeAll(): void {
    this.closeExisting();
    const descriptor = this.#descriptor;
    // Also when it fails it is closed, and the number may be somebody else's file by now.
    this.#descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }

  #write(bytes: Uint8Array, position: number): void {
    const { sizeBytes } = this.#entry;
    if (position + bytes.byteLength > sizeBytes) throw new Error('a piece lies behind the end of its file');
    if (bytes.byteLength !== sizeBytes || !this.#makeAtOnce(bytes)) {
      const descriptor = this.#openTemporary();
      // What is there already of a file that goes on may be anything, so zeros must be written into it.
      const write = this.existing?.use === 'continue' ? writeAll : writeData;
      this.#writtenTo = Math.max(this.#writtenTo, write(descriptor, bytes, position));
    }
    this.#writtenBytes += bytes.byteLength;
    this.#state.context.progress({ bytes: bytes.byteLength });
  }
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
