import { closeSync } from 'node:fs';
import type { ExistingContent, RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { sayForeseen } from './foresee-item.ts';
import { readExisting } from './piece-file.ts';
import { countWritten, type RestoreState } from './restore-state.ts';

/** A file in a dry run: it can be compared with what is there, and nothing else happens to it. */
export class ForeseenFile implements RestoreFile {
  readonly existing: ExistingContent | null;
  readonly #entry: RestoreFileEntry;
  readonly #state: RestoreState;
  readonly #isNew: boolean;
  #descriptor: number | null;
  #isOpen = true;

  constructor(start: { entry: RestoreFileEntry; state: RestoreState; descriptor: number | null; isNew: boolean }) {
    this.#entry = start.entry;
    this.#state = start.state;
    this.#isNew = start.isNew;
    this.#descriptor = start.descriptor;
    this.existing =
      start.descriptor === null
        ? null
        : { use: 'keep', read: (target, position) => readExisting(this.#descriptor, target, position) };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  closeExisting(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  writeAt(): void {}

  finish(): boolean {
    const { sizeBytes, path } = this.#entry;
    const what = this.#isNew ? 'would be made' : 'would be replaced';
    return this.#end(() => sayForeseen(path, `${what} (${sizeBytes} bytes)`, this.#state), sizeBytes);
  }

  keepExisting(): boolean {
    return this.#end(() => {}, 0);
  }

  discard(): void {
    this.closeExisting();
    this.#isOpen = false;
  }

  #end(say: () => void, bytes: number): boolean {
    if (!this.#isOpen) return false;
    this.discard();
    say();
    countWritten(this.#entry.path, bytes, this.#state);
    return true;
  }
}
