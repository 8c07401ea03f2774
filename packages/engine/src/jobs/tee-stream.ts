/** One stream read by several readers in step: the next chunk is pulled when every live reader asks for it. */
export interface Tee {
  readonly branches: readonly AsyncIterable<Uint8Array>[];
  /** Goes on without this branch; the stream is closed when none is left. */
  drop(index: number): void;
  /** What the stream itself threw, wrapped so that `undefined` can be told from nothing. */
  readonly failure: { readonly error: unknown } | null;
}

interface Waiter {
  resolve(result: IteratorResult<Uint8Array>): void;
  reject(error: unknown): void;
}

const DONE = { done: true, value: undefined } as const;

/** Readers must not keep a chunk after they asked for the next one: its memory may be filled again. */
export function teeStream(body: AsyncIterable<Uint8Array>, count: number): Tee {
  const source = body[Symbol.asyncIterator]();
  const waiting = new Map<number, Waiter>();
  const live = new Set(Array.from({ length: count }, (_, index) => index));
  let failure: { error: unknown } | null = null;
  let isEnded = false;
  let isPulling = false;

  const settle = (act: (waiter: Waiter) => void) => {
    const waiters = [...waiting.values()];
    waiting.clear();
    for (const waiter of waiters) act(waiter);
  };

  const pullWhenAllWait = () => {
    if (isPulling || isEnded || live.size === 0 || waiting.size < live.size) return;
    isPulling = true;
    source.next().then(
      (result) => {
        isPulling = false;
        isEnded = result.done === true;
        if (live.size === 0) closeSource();
        settle((waiter) => waiter.resolve(result.done ? DONE : result));
      },
      (error: unknown) => {
        isPulling = false;
        isEnded = true;
        failure = { error };
        settle((waiter) => waiter.reject(error));
      },
    );
  };

  const closeSource = () => {
    if (isEnded) return;
    isEnded = true;
    source.return?.().catch(() => {});
  };

  const drop = (index: number) => {
    if (!live.delete(index)) return;
    waiting.get(index)?.resolve(DONE);
    waiting.delete(index);
    if (live.size > 0) pullWhenAllWait();
    else if (!isPulling) closeSource();
  };

  const openBranch = (index: number): AsyncIterator<Uint8Array> => ({
    next: () =>
      new Promise((resolve, reject) => {
        if (failure) reject(failure.error);
        else if (isEnded || !live.has(index)) resolve(DONE);
        else {
          waiting.set(index, { resolve, reject });
          pullWhenAllWait();
        }
      }),
    async return() {
      drop(index);
      return DONE;
    },
  });

  return {
    branches: [...live].map((index) => ({ [Symbol.asyncIterator]: () => openBranch(index) })),
    drop,
    get failure() {
      return failure;
    },
  };
}
