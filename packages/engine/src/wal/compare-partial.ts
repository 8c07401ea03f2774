/** An unfinished segment is filled up with zeros, so of two of one name the contents tell which one came further. */
import type { FileHandle } from 'node:fs/promises';

/** What is stored, seen from a file of that name: its beginning, what goes on from it, or something else. */
export type Progress = 'less' | 'more' | 'other';

/** Throws what reading them throws. Equal ones are `less`. */
export async function comparePartial(stored: AsyncIterable<Uint8Array>, file: FileHandle): Promise<Progress> {
  let at = 0;
  let firstDifference = Number.POSITIVE_INFINITY;
  const end = { stored: 0, file: 0 };
  for await (const chunk of stored) {
    const here = Buffer.alloc(chunk.byteLength);
    await file.read(here, 0, here.byteLength, at);
    if (firstDifference === Number.POSITIVE_INFINITY && !here.equals(chunk)) {
      firstDifference = at + here.findIndex((byte, index) => byte !== chunk[index]);
    }
    end.stored = endOfContent(chunk, at) || end.stored;
    end.file = endOfContent(here, at) || end.file;
    at += chunk.byteLength;
  }
  if (firstDifference < Math.min(end.stored, end.file)) return 'other';
  return end.stored > end.file ? 'more' : 'less';
}

/** The place behind the last byte that is not zero; 0 when there is none. */
function endOfContent(bytes: Uint8Array, at: number): number {
  const last = bytes.findLastIndex((byte) => byte !== 0);
  return last < 0 ? 0 : at + last + 1;
}
