/** Content of entries on their way back, as sources read it. */
import { AppError } from '@backupx/contracts/errors';

/** Of a server with millions of files. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/** A list out of a backup, whole. Throws ARTIFACT_DAMAGED when it is too long for one. */
export async function readText(content: AsyncIterable<Uint8Array>, maxBytes = MAX_TEXT_BYTES): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new AppError('ARTIFACT_DAMAGED', { reason: 'a list in it is too long' });
    chunks.push(Uint8Array.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Reads to the end also when whoever takes it stops in the middle, since the next entry comes only then. */
export async function* toItsEnd(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = content[Symbol.asyncIterator]();
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    for (let next = await iterator.next(); !next.done; next = await iterator.next());
  }
}

/** Tells of each chunk as it is taken. */
export async function* counted(
  content: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    onBytes(chunk.byteLength);
    yield chunk;
  }
}
