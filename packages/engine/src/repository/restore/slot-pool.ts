/** A stretch of the memory that is shared with other threads. */
export interface Slot {
  /** Where it begins in the memory. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Equal stretches of shared memory. Whoever asks for one in vain waits. */
export class SlotPool {
  readonly #free: Slot[];
  readonly #waiting: ((slot: Slot) => void)[] = [];

  /** Cuts `count` slots of `slotBytes` from `memory`, the first at `start`. */
  constructor(memory: SharedArrayBuffer, start: number, { count, slotBytes }: { count: number; slotBytes: number }) {
    this.#free = Array.from({ length: count }, (_, number) => {
      const offset = start + number * slotBytes;
      return { offset, bytes: new Uint8Array(memory, offset, slotBytes) };
    });
  }

  async take(): Promise<Slot> {
    return this.#free.pop() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
  }

  give(slot: Slot): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }
}
