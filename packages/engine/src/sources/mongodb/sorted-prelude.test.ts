import { describe, expect, it } from 'vitest';
import { chunked, STOCK_ARCHIVE, sampleArchive } from '../../testing/mongo-archives.ts';
import { scanArchive } from './archive-scanner.ts';
import { sortedPrelude } from './sorted-prelude.ts';

async function sorted(bytes: Uint8Array, ...sizes: number[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of sortedPrelude(chunked(bytes, ...sizes))) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** The documents of the list, by hand: magic, header, documents, four bytes of ones. */
function split(archive: Buffer): { head: Buffer; list: Buffer[]; rest: Buffer } {
  let at = 4 + archive.readUInt32LE(4);
  const head = archive.subarray(0, at);
  const list: Buffer[] = [];
  for (; archive.readUInt32LE(at) !== 0xffffffff; at += archive.readUInt32LE(at)) {
    list.push(archive.subarray(at, at + archive.readUInt32LE(at)));
  }
  return { head, list, rest: archive.subarray(at) };
}

describe('the list of an archive', () => {
  it('is the same whatever order it came in, and the rest is as it was', async () => {
    for (const archive of [STOCK_ARCHIVE, sampleArchive()]) {
      const { head, list, rest } = split(archive);
      const results = [];
      for (const order of [list, [...list].reverse()]) {
        for (const size of [1, 7, 1000, 1_000_000]) {
          results.push((await sorted(Buffer.concat([head, ...order, rest]), size)).toString('hex'));
        }
      }
      expect(new Set(results).size).toBe(1);
      const one = Buffer.from(results[0] ?? '', 'hex');
      expect([split(one).head, split(one).rest]).toEqual([head, rest]);
      const names = (await scanArchive(chunked(one, 1000))).collections.map(
        ({ db, collection }) => `${db} ${collection}`,
      );
      expect(names).toEqual([...names].sort());
      expect(names).toHaveLength(list.length);
    }
  });

  it('stays as it is where it is none, or is cut off', async () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('abc'),
      Buffer.from('no archive at all'),
      STOCK_ARCHIVE.subarray(0, 90),
    ]) {
      expect((await sorted(bytes, 5)).equals(bytes)).toBe(true);
    }
    const odd = Buffer.from(STOCK_ARCHIVE);
    odd.writeUInt32LE(1, 4);
    expect((await sorted(odd, 50)).equals(odd)).toBe(true);
  });
});
