import { throwIfCancelled } from '../../ports/pull-body.ts';

/** Reads one blob of data, verified. */
export type ReadBlob = (id: Uint8Array) => Promise<Uint8Array>;

/** Blobs on their way while one is handed on; a blob has at most 8 MiB. */
const BLOBS_AHEAD = 4;

/** Streams the content of a file; a few blobs are read ahead. Throws REPOSITORY_DAMAGED at the blob that is damaged. */
export async function* readContent(
  read: ReadBlob,
  ids: readonly Uint8Array[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const waiting: Promise<Uint8Array>[] = [];
  for (let next = 0; next < ids.length || waiting.length > 0; ) {
    throwIfCancelled(signal);
    while (next < ids.length && waiting.length < BLOBS_AHEAD) {
      const reading = read(ids[next] as Uint8Array);
      reading.catch(() => {}); // heard of when its turn comes
      waiting.push(reading);
      next += 1;
    }
    const blob = await waiting.shift();
    if (blob) yield blob;
  }
}
