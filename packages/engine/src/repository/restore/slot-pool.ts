/** A fixed number of equal pieces of shared memory, made when first needed. Whoever asks for one in vain waits. */
export class SlotPool {
  readonly #slotBytes: number;
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((slot: Uint8Array) => void)[] = [];
  #left: number;

  constructor(count: number, slotBytes: number) {
    this.#left = count;
    this.#slotBytes = slotBytes;
  }

  async take(): Promise<Uint8Array> {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#left > 0) {
      this.#left -= 1;
      return new Uint8Array(new SharedArrayBuffer(this.#slotBytes));
    }
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(slot: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }
}
