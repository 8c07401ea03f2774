const MAX_CHANGES = 1000;

/** What a repair changes, a sentence each; the first thousand in full. */
export class ChangeList {
  readonly #sentences: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(sentence: string): void {
    this.#count += 1;
    if (this.#count <= MAX_CHANGES) this.#sentences.push(sentence);
  }

  toArray(): string[] {
    const more = this.#count - this.#sentences.length;
    return more > 0 ? [...this.#sentences, `And ${more} more.`] : [...this.#sentences];
  }
}
