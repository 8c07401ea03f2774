/** One bit per number, for sets over the entries of an index: a million blobs take 125 KB. */
export class BitSet {
  #words: Uint32Array;
  #size = 0;

  /** `capacity`: numbers expected; larger ones may be added, it grows. */
  constructor(capacity: number) {
    this.#words = new Uint32Array((capacity >>> 5) + 1);
  }

  /** Numbers in the set. */
  get size(): number {
    return this.#size;
  }

  has(number: number): boolean {
    return (((this.#words[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
  }

  /** Answers whether the number is new. */
  add(number: number): boolean {
    const at = number >>> 5;
    if (at >= this.#words.length) this.#grow(at);
    const word = this.#words[at] ?? 0;
    const changed = word | (1 << (number & 31));
    if (changed >>> 0 === word) return false;
    this.#words[at] = changed;
    this.#size += 1;
    return true;
  }

  delete(number: number): void {
    if (!this.has(number)) return;
    const at = number >>> 5;
    this.#words[at] = (this.#words[at] ?? 0) & ~(1 << (number & 31));
    this.#size -= 1;
  }

  /** Adds what another set has; answers whether that was new. */
  addAll(other: BitSet): boolean {
    const before = this.#size;
    for (const number of other) this.add(number);
    return this.#size > before;
  }

  /** Ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#words.length; at += 1) {
      for (let word = this.#words[at] ?? 0; word !== 0; word &= word - 1)
        yield at * 32 + (31 - Math.clz32(word & -word));
    }
  }

  #grow(at: number): void {
    const larger = new Uint32Array(Math.max(at + 1, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}
