import { Readable } from 'node:stream';

interface BodyOptions {
  /** Bytes that may wait for whoever reads; left out: Node's own. */
  readonly bufferBytes?: number;
}

/**
 * What `chunks` gives as the body of an answer. `source`, which they come from, is closed with it: a generator that was
 * not begun, or has not come to where it reads from the other, does not do that by itself when whoever reads leaves early.
 */
export function bodyOf(
  chunks: AsyncIterable<Uint8Array | string>,
  source: AsyncIterator<unknown>,
  { bufferBytes }: BodyOptions = {},
): Readable {
  const sizes = bufferBytes === undefined ? {} : { highWaterMark: bufferBytes };
  const body = Readable.from(chunks, { objectMode: false, ...sizes });
  body.once('close', () => void closeQuietly(source));
  return body;
}

/** Nobody is there any more to be told that it fails. */
export async function closeQuietly(source: AsyncIterator<unknown>): Promise<void> {
  await source.return?.().catch(() => {});
}

/** All of a source of which the first was taken already. */
export async function* withFirst<T>(first: IteratorResult<T>, source: AsyncIterator<T>): AsyncGenerator<T> {
  if (first.done) return;
  yield first.value;
  yield* { [Symbol.asyncIterator]: () => source };
}
