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

  union(a: number, b: number): number {
    if (a === b) return a;
    const merged = () => [...new Set([...this.membersOf(a), ...this.membersOf(b)])].sort((x, y) => x - y);
    return this.#known(this.#unions, a < b ? `${a} ${b}` : `${b} ${a}`, merged);
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
