export interface OrderOptions<T> {
  /** Items worked on at the same time. */
  readonly parallelism: number;
  /** Of these one is through before the next begins. */
  isSerial(item: T): boolean;
}

/** Begins items from top to bottom, several at a time; none is skipped. Ends when all have ended, then throws the first error. */
export async function runInOrder<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  { parallelism, isSerial }: OrderOptions<T>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let serial: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | null = null;
  for (const item of items) {
    if (isSerial(item)) await serial;
    while (running.size >= parallelism) await Promise.race(running);
    const task: Promise<void> = work(item)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => running.delete(task));
    running.add(task);
    if (isSerial(item)) serial = task;
  }
  await Promise.all(running);
  if (failure) throw (failure as { error: unknown }).error;
}
