/**
 * mongodump lists the collections at the beginning of an archive in an order that is another one each time. In the order
 * of their names two dumps of equal data are equal, and a repository stores the second for nothing.
 */
import { MAGIC, MIN_DOCUMENT_BYTES, TERMINATOR } from './archive-format.ts';
import { readCollection } from './archive-prelude.ts';

/** A longer list stays as it is. */
const MAX_BYTES = 64 * 1024 * 1024;
const WORD = 4;

/** Passes an archive on with its list in order. What is no archive passes as it is. */
export async function* sortedPrelude(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const held: Buffer[] = [];
  let heldBytes = 0;
  let nextLookAt = 0;
  let isOver = false;
  for await (const chunk of archive) {
    if (isOver) {
      yield chunk;
      continue;
    }
    held.push(Buffer.from(chunk));
    heldBytes += chunk.byteLength;
    // Twice as much each time, or a long list would be put together again with every chunk.
    if (heldBytes < nextLookAt) continue;
    nextLookAt = heldBytes * 2;
    const bytes = Buffer.concat(held);
    const sorted = sortedOf(bytes);
    if (sorted === 'more' && heldBytes < MAX_BYTES) continue;
    isOver = true;
    held.length = 0;
    yield sorted === 'more' ? bytes : sorted;
  }
  if (!isOver && held.length > 0) {
    const bytes = Buffer.concat(held);
    const sorted = sortedOf(bytes);
    yield sorted === 'more' ? bytes : sorted;
  }
}

/** `more`: the list does not end in these bytes. */
function sortedOf(bytes: Buffer): Buffer | 'more' {
  if (bytes.byteLength < WORD) return 'more';
  if (bytes.readUInt32LE(0) !== MAGIC) return bytes;
  const documents: Buffer[] = [];
  let at = WORD;
  for (;;) {
    if (at + WORD > bytes.byteLength) return 'more';
    const size = bytes.readUInt32LE(at);
    if (size === TERMINATOR) break;
    if (size < MIN_DOCUMENT_BYTES) return bytes;
    if (at + size > bytes.byteLength) return 'more';
    documents.push(bytes.subarray(at, at + size));
    at += size;
  }
  const [header, ...collections] = documents;
  const sorted = header && inOrder(collections);
  return sorted ? Buffer.concat([bytes.subarray(0, WORD), header, ...sorted, bytes.subarray(at)]) : bytes;
}

/** Null when one of them cannot be read; whoever reads the archive will say so. */
function inOrder(documents: readonly Buffer[]): Buffer[] | null {
  try {
    const named = documents.map((document) => {
      const { db, collection } = readCollection(document);
      return { document, name: Buffer.from(`${db}\0${collection}`, 'utf8') };
    });
    return named.sort((a, b) => Buffer.compare(a.name, b.name)).map(({ document }) => document);
  } catch {
    return null;
  }
}
