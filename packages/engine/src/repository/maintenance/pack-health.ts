/** What a check knows about each pack and each blob in it. */

import { BitSet } from '../bit-set.ts';
import type { BlobIndex } from '../blob-index.ts';
import { toHex } from '../format/blob-id.ts';
import type { PackTable } from './pack-table.ts';
import type { ProblemCode, ProblemLog } from './problem-log.ts';
import type { StoredPacks } from './stored-packs.ts';

const MAX_NAMED_BLOBS = 20;

export class PackHealth {
  readonly table: PackTable;
  readonly stored: StoredPacks;
  readonly log: ProblemLog;
  /** Entries whose bytes are not what they should be. */
  readonly bad: BitSet;
  /** Number of the problem per pack; NONE where there is none. */
  readonly #problems: Int32Array;

  constructor(parts: { readonly table: PackTable; readonly stored: StoredPacks; readonly log: ProblemLog }) {
    this.table = parts.table;
    this.stored = parts.stored;
    this.log = parts.log;
    this.bad = new BitSet(parts.table.index.count);
    this.#problems = new Int32Array(parts.table.count).fill(NONE);
  }

  get index(): BlobIndex {
    return this.table.index;
  }

  /** Path of a pack in the repository. */
  pathOf(pack: number): string {
    const id = this.table.hexOf(pack);
    return `data/${id.slice(0, 2)}/${id}`;
  }

  /** Notes that a pack is not whole; a second finding about it adds to the first. */
  blame(pack: number, code: ProblemCode, message: string): number {
    const known = this.#problems[pack] ?? NONE;
    if (known !== NONE) {
      this.log.addToMessage(known, message);
      return known;
    }
    const problem = this.log.add('error', code, { object: this.pathOf(pack), message });
    this.#problems[pack] = problem;
    return problem;
  }

  /** Whether something was found about a pack. */
  isBlamed(pack: number): boolean {
    return this.#problems[pack] !== NONE;
  }

  /** Numbers of the problems that make a blob unreadable in all its places; null when it can be read. */
  problemsOf(first: number): readonly number[] | null {
    const { table, index } = this;
    let problems: number[] | null = null;
    for (let entry = first; entry >= 0; entry = index.nextSame(entry)) {
      const pack = table.packOf(entry);
      const isMissing = (this.stored.sizes[pack] ?? -1) < 0;
      if (!isMissing && !this.bad.has(entry)) return null;
      problems ??= [];
      problems.push(this.#problems[pack] ?? UNLISTED);
    }
    return problems;
  }

  /** `tree 1234…, data abcd…`. */
  namesOf(entries: readonly number[]): string {
    const names = entries
      .slice(0, MAX_NAMED_BLOBS)
      .map((entry) => `${this.index.typeOf(entry)} ${toHex(this.index.idOf(entry))}`);
    const more = entries.length - names.length;
    return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
}

const NONE = -2;
const UNLISTED = -1;
