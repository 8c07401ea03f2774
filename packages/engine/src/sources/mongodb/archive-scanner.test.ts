import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  block,
  chunked,
  contents,
  endBlock,
  everyType,
  STOCK_ARCHIVE,
  sampleArchive,
} from '../../testing/mongo-archives.ts';
import { ArchiveError, type ArchiveInventory } from './archive-format.ts';
import { scanArchive, scannedArchive } from './archive-scanner.ts';

const SAMPLE = sampleArchive();
const A = { db: 'd', collection: 'a' };
const DOCUMENT = everyType(1);

/** Why it is refused; null: it is not. */
async function refusal(archive: Uint8Array, ...sizes: number[]): Promise<string | null> {
  try {
    await scanArchive(chunked(archive, ...sizes));
    return null;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return error.message;
  }
}

/** What a wrong byte in the texts of the contents may change: nothing that comes of the documents. */
const ofDocuments = ({ collections }: ArchiveInventory) =>
  collections.map(({ db, collection, documents, bytes, crc }) => ({ db, collection, documents, bytes, crc }));

describe('an archive of mongodump', () => {
  it('is read the same however its bytes are cut', async () => {
    for (const size of [1, 2, 3, 7, 64, STOCK_ARCHIVE.byteLength]) {
      const { header, collections } = await scanArchive(chunked(STOCK_ARCHIVE, size));
      expect(header).toEqual({
        concurrentCollections: 4,
        formatVersion: '0.1',
        serverVersion: '7.0.42',
        toolVersion: '100.9.5',
      });
      expect(collections).toMatchObject([
        { db: 'tiny', collection: 'a', type: 'collection', indexes: ['_id_', 't_1'], documents: 3, options: '{}' },
        { db: 'tiny', collection: 'b', indexes: ['_id_'], documents: 1, uuid: expect.stringMatching(/^[0-9a-f]{32}$/) },
      ]);
      expect(collections[1]?.options).toBe('{"capped":true,"size":{"$numberLong":"4096"}}');
    }
  });
});

describe('an archive of everything', () => {
  it('tells of each namespace, also of those that take turns', async () => {
    for (const size of [1, 5, 100, SAMPLE.byteLength]) {
      const { collections } = await scanArchive(chunked(SAMPLE, size));
      const told = collections.map(({ db, collection, type, documents }) => [`${db}.${collection}`, type, documents]);
      expect(told).toEqual([
        ['shop.a', 'collection', 5],
        ['shop.b', 'collection', 2],
        ['shop.empty', 'collection', 0],
        ['shop.series', 'timeseries', 1],
        ['shop.view', 'view', 0],
        ['other.a.b$', 'collection', 1],
        ['shop.$admin.system.users', 'collection', 1],
        ['.oplog', 'collection', 0],
      ]);
    }
  });

  it('passes on what it reads, and tells at the end', async () => {
    const told: ArchiveInventory[] = [];
    const parts: Buffer[] = [];
    const hooks = { onInventory: (inventory: ArchiveInventory) => told.push(inventory), failure: Error };
    for await (const chunk of scannedArchive(chunked(SAMPLE, 100), hooks)) parts.push(Buffer.from(chunk));
    expect(Buffer.concat(parts).equals(SAMPLE)).toBe(true);
    expect(told).toEqual([await scanArchive(chunked(SAMPLE))]);
  });

  it('is refused when it is cut off, wherever', async () => {
    for (let length = 0; length < SAMPLE.byteLength; length += 1) {
      expect(await refusal(SAMPLE.subarray(0, length)), `${length} bytes`).toMatch(/^it (is empty|is cut off|ends)/);
    }
  });

  it('is refused when one byte of it is wrong, or nothing of its documents is', async () => {
    const whole = ofDocuments(await scanArchive(chunked(SAMPLE)));
    const contentsEnd = SAMPLE.indexOf(Buffer.from([255, 255, 255, 255])) + 4;
    let unnoticed = 0;
    for (let at = 0; at < SAMPLE.byteLength; at += 1) {
      for (const bits of [1 << (at & 7), 0x80 >> (at & 3), 0xff]) {
        const flipped = Buffer.from(SAMPLE);
        flipped[at] = (flipped[at] as number) ^ bits;
        if ((await refusal(flipped)) !== null) continue;
        unnoticed += 1;
        expect(at, 'behind the contents').toBeLessThan(contentsEnd);
        expect(ofDocuments(await scanArchive(chunked(flipped)))).toEqual(whole);
      }
    }
    // Versions, options, UUIDs, names of indexes: the format has no checksum over these.
    expect(unnoticed).toBeLessThan(contentsEnd * 3 * 0.6);
  });
});

describe('an archive that was torn to pieces', () => {
  it('is refused, or nothing of its documents is another', async () => {
    const whole = ofDocuments(await scanArchive(chunked(SAMPLE)));
    const cut = fc.record({
      at: fc.nat(SAMPLE.byteLength),
      removed: fc.nat(40),
      inserted: fc.uint8Array({ maxLength: 40 }),
    });
    const torn = fc.asyncProperty(
      fc.array(cut, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 500 }),
      async (cuts, size) => {
        const bytes = cuts.reduce<Buffer>(
          (rest, { at, removed, inserted }) =>
            Buffer.concat([rest.subarray(0, at), inserted, rest.subarray(at + removed)]),
          SAMPLE,
        );
        if ((await refusal(bytes, size)) === null)
          expect(ofDocuments(await scanArchive(chunked(bytes)))).toEqual(whole);
      },
    );
    await fc.assert(torn, { numRuns: 1000 });
  });
});

describe('what is no archive', () => {
  it('is refused at its beginning', async () => {
    expect(await refusal(Buffer.from('-- MariaDB dump 10.19'))).toBe(
      'it is no archive of mongodump, or a compressed one',
    );
    expect(await refusal(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]))).toContain('compressed');
    expect(await refusal(DOCUMENT)).toContain('no archive');
    expect(await refusal(contents([], '0.2'))).toBe('it is of version "0.2", and only 0.1 is known');
  });

  it('is refused for its structure', async () => {
    const end = endBlock('d', 'a', [DOCUMENT]);
    const good = Buffer.concat([contents([A]), block('d', 'a', [DOCUMENT]), end]);
    expect(await refusal(good)).toBe(null);
    expect(await refusal(Buffer.concat([good, end]))).toBe('d.a ends twice');
    expect(await refusal(Buffer.concat([good, block('d', 'a', [])]))).toBe('d.a ends twice');
    expect(await refusal(Buffer.concat([good, block('d', 'b', [])]))).toContain('its contents do not tell');
    expect(await refusal(Buffer.concat([good, Buffer.from([1])]))).toBe('it ends within the head of a block');
    expect(await refusal(contents([A, A]))).toBe('it tells of d.a twice');
    expect(await refusal(Buffer.concat([contents([A]), endBlock('d', 'a', [DOCUMENT])]))).toContain('checksum');
    const twice = Buffer.concat([contents([A]), block('d', 'a', [DOCUMENT, DOCUMENT]), end]);
    expect(await refusal(twice)).toBe('the checksum of the documents of d.a is wrong');
    const behind = Buffer.concat([end.subarray(0, -4), DOCUMENT, end.subarray(-4)]);
    expect(await refusal(Buffer.concat([contents([A]), block('d', 'a', [DOCUMENT]), behind]))).toBe(
      'it has documents behind the end of a namespace',
    );
    const view = { ...A, type: 'view', options: { viewOn: 'b', pipeline: [] } };
    expect(await refusal(Buffer.concat([contents([view]), block('d', 'a', [DOCUMENT])]))).toBe(
      'the view d.a has documents',
    );
    const odd = { ...A, type: 'view', options: { timeseries: {} } };
    expect(await refusal(contents([odd]))).toBe('what it says of d.a does not fit together');
    expect(await refusal(contents([{ ...A, type: 'shape' }]))).toBe('d.a is of an unknown type, "shape"');
  });

  it('is refused when it announces a document larger than any, and takes no memory for one within limits', async () => {
    const length = (bytes: number) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(bytes, 0);
      return Buffer.concat([contents([A]), block('d', 'a', []).subarray(0, -4), head]);
    };
    expect(await refusal(length(16 * 1024 * 1024 + 16 * 1024 + 1))).toBe(
      'in the documents of d.a something is neither a document nor an end',
    );
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal(length(16 * 1024 * 1024))).toBe('it ends within the documents of d.a');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });
});
