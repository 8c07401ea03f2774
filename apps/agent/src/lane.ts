/** Runs at most `capacity` pieces of work at a time, the rest in the order they came. */
export interface Lane {
  /** Starts `work` when there is room; the promise ends when the work has. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** How many more would start at once. */
  readonly free: number;
}

export function createLane(capacity: number): Lane {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (running >= capacity) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await work();
      } finally {
        // The place goes straight to the next in line, so that a newcomer cannot slip in between.
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
    get free() {
      return Math.max(0, capacity - running - waiting.length);
    },
  };
}
