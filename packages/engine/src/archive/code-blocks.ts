/** Work on blocks in the thread pool of the runtime: several at the same time, results in order, memory used again. */
import { throwIfCancelled } from '../ports/pull-body.ts';

export interface BlockCodec {
  /** The result is valid until `release`; the block must stay as it is until the promise settles. */
  code(block: Uint8Array): Promise<Uint8Array>;
  /** Says that nothing reads this result any more. */
  release(result: Uint8Array): void;
  /** Frees its memory. Call it when nothing is in flight. */
  close(): void;
}

export interface CodeBlocksOptions {
  /** Blocks in flight at the same time, at least 1; memory is about twice that many blocks. */
  readonly parallelism: number;
  readonly signal: AbortSignal;
  /** Called once per input block when nothing reads it any more, so that its memory may be filled again. */
  readonly onBlockDone?: ((block: Uint8Array) => void) | undefined;
}

interface PendingBlock {
  readonly block: Uint8Array;
  readonly result: Promise<Uint8Array>;
}

/**
 * Yields what `codec` makes of each block, in order, each valid until the next is asked for. Pulls the next block only
 * while fewer than `parallelism` are in flight. The codec stays open. Throws what `blocks` and the codec throw, and CANCELLED.
 */
export async function* codeBlocks(
  blocks: AsyncIterable<Uint8Array>,
  codec: BlockCodec,
  options: CodeBlocksOptions,
): AsyncGenerator<Uint8Array> {
  const parallelism = Math.max(1, options.parallelism);
  const source = blocks[Symbol.asyncIterator]();
  const pending: PendingBlock[] = [];
  let ended = false;
  try {
    for (;;) {
      while (!ended && pending.length < parallelism) {
        throwIfCancelled(options.signal);
        const next = await source.next();
        if (next.done) {
          ended = true;
          break;
        }
        const result = codec.code(next.value);
        // A failure is met when its turn comes; until then it must not count as unhandled.
        result.catch(() => {});
        pending.push({ block: next.value, result });
      }
      const head = pending[0];
      if (!head) return;
      const coded = await head.result;
      pending.shift();
      options.onBlockDone?.(head.block);
      throwIfCancelled(options.signal);
      yield coded;
      codec.release(coded);
    }
  } finally {
    // The pool still reads these blocks; their owner must not see them as free before it is through.
    await Promise.allSettled(pending.map((entry) => entry.result));
    for (const entry of pending) options.onBlockDone?.(entry.block);
    if (!ended) await source.return?.();
  }
}
