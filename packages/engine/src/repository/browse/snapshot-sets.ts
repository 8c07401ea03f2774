import { createHash } from 'node:crypto';

/**
 * Sets of snapshots by number. Thousands of folders are shared by the same hundreds of snapshots, so equal sets that
 * come about in the same way are kept once.
 */
export class SnapshotSets {
  readonly #members: (readonly number[])[] = [];
  readonly #singles = new Map<number, number>();
  readonly #unions = new Map<string, number>();

  /** The set of one snapshot. */
  single(snapshot: number): number {
    return this.#known(this.#singles, snapshot, () => [snapshot]);
  }

  /** The set of all that are in any of `sets`, at least one; only the result is kept, not what lies between. */
  unionOf(sets: ReadonlySet<number>): number {
    const [first = 0] = sets;
    if (sets.size === 1) return first;
    const numbers = [...sets].sort(ascending);
    const key = createHash('sha256').update(numbers.join(' ')).digest('base64');
    return this.#known(this.#unions, key, () => {
      const members = new Set(numbers.flatMap((set) => this.membersOf(set)));
      return [...members].sort(ascending);
    });
  }

  /** Ascending. */
  membersOf(set: number): readonly number[] {
    return this.#members[set] ?? [];
  }

  #known<K>(sets: Map<K, number>, key: K, make: () => number[]): number {
    let set = sets.get(key);
    if (set === undefined) {
      set = this.#members.push(make()) - 1;
      sets.set(key, set);
    }
    return set;
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}
