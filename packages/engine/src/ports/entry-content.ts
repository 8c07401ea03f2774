/** Content of entries on their way back, as sources read it. */
import { AppError } from '@backupx/contracts/errors';

/** Of a server with millions of files. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;

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

/**
 * Reads until `look` finds something in the first bytes, or `maxBytes` have come. Answers what it found, and all of the
 * content: its chunks are good until the next is asked for, as they were.
 */
export async function peek<T>(
  content: AsyncIterable<Uint8Array>,
  look: (head: Buffer) => T | null,
  maxBytes = MAX_HEAD_BYTES,
): Promise<{ readonly found: T | null; readonly content: AsyncGenerator<Uint8Array> }> {
  const iterator = content[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let found: T | null = null;
  while (found === null && head.byteLength < maxBytes) {
    const next = await iterator.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
    found = look(head);
  }
  return { found, content: headFirst(head, iterator) };
}

async function* headFirst(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.byteLength > 0) yield head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
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
