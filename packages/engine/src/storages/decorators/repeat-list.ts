import { isOutage } from '../../ports/is-outage.ts';
import type { StoredObject } from '../../ports/storage.ts';
import type { Repeated } from './repeat-get.ts';
import { type Outage, Tries } from './tries.ts';

/** Keys that are remembered at most: some 10 MB. */
const MAX_REMEMBERED = 100_000;

/**
 * A list that is repeated until its first item came; with patience it also begins anew where it broke, and leaves out
 * what was handed on before. Since items come in any order, a longer list cannot be taken up.
 */
export async function* repeatList(
  { storage, options, outage }: Repeated,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<StoredObject> {
  const given = new GivenKeys((options.patienceMs ?? 0) > 0 ? MAX_REMEMBERED : 0);
  let countBefore = 0;
  for (let tries = new Tries(options, outage, signal); ; ) {
    try {
      yield* newOnes(storage.list(prefix, signal), given, outage);
      return;
    } catch (error) {
      if (!given.mayBeginAnew(error)) throw error;
      if (given.count > countBefore) tries = new Tries(options, outage, signal);
      countBefore = given.count;
      await tries.waitOrThrow(error);
    }
  }
}

async function* newOnes(
  items: AsyncIterable<StoredObject>,
  given: GivenKeys,
  outage: Outage,
): AsyncGenerator<StoredObject> {
  for await (const item of items) {
    outage.end();
    if (given.take(item.key)) yield item;
  }
  outage.end();
}

/** What was handed on. */
class GivenKeys {
  readonly #limit: number;
  readonly #keys = new Set<string>();
  count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False: it was before. */
  take(key: string): boolean {
    if (this.#keys.has(key)) return false;
    this.count += 1;
    if (this.count <= this.#limit) this.#keys.add(key);
    return true;
  }

  mayBeginAnew(error: unknown): boolean {
    return this.count === 0 || (this.count === this.#keys.size && isOutage(error));
  }
}
