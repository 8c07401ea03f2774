import * as fc from 'fast-check';
import { BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { chunked, everyType } from '../../testing/mongo-archives.ts';
import { type ArchiveHeader, type CollectionMetadata, FORMAT_VERSION } from './archive-format.ts';
import { formatMetadata } from './archive-prelude.ts';
import { ArchiveReader } from './archive-reader.ts';
import { scanArchive } from './archive-scanner.ts';
import { writeArchive } from './archive-writer.ts';

const HEADER: ArchiveHeader = {
  concurrentCollections: 1,
  formatVersion: FORMAT_VERSION,
  serverVersion: '8.0.4',
  toolVersion: '100.0.0',
};

interface Sample {
  readonly collection: string;
  /** In the batches they come in. */
  readonly batches: readonly (readonly Buffer[])[];
}

async function write(samples: readonly Sample[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const collections = samples.map(({ collection, batches }) => {
    const stream = { db: 'd', collection };
    const type = 'collection' as const;
    const metadata = formatMetadata({ collection, type }, { uuid: null, options: new Map(), indexes: [] });
    const about: CollectionMetadata = { ...stream, type, metadata, size: 0 };
    async function* documents() {
      yield* batches;
    }
    return { about, stream, documents };
  });
  for await (const part of writeArchive(HEADER, collections)) parts.push(part);
  return Buffer.concat(parts);
}

async function read(archive: Buffer, sizes: readonly number[]): Promise<[string, string[]][]> {
  const found = new Map<string, string[]>();
  const reader = new ArchiveReader();
  for await (const chunk of chunked(archive, ...sizes)) {
    for (const event of reader.push(chunk)) {
      if (event.kind === 'collection') found.set(event.collection.collection, []);
      if (event.kind === 'document') found.get(event.stream.collection)?.push(event.bytes.toString('hex'));
    }
  }
  reader.finish();
  return [...found];
}

const anyDocument = fc
  .dictionary(
    fc.string({ maxLength: 8 }).filter((name) => !name.includes('\0')),
    fc.jsonValue({ maxDepth: 2 }),
    {
      maxKeys: 4,
    },
  )
  .map((document) => Buffer.from(BSON.serialize(document)));
const anySample = fc.record({
  collection: fc.string({ minLength: 1, maxLength: 8 }).filter((name) => !name.startsWith('system.buckets.')),
  batches: fc.array(fc.array(anyDocument, { minLength: 1, maxLength: 5 }), { maxLength: 4 }),
});
const anySamples = fc.uniqueArray(anySample, { selector: ({ collection }) => collection, maxLength: 5 });
const anySizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 });

describe('an archive that was written', () => {
  it('gives back its documents, cut in any way', async () => {
    const property = fc.asyncProperty(anySamples, anySizes, async (samples, sizes) => {
      const archive = await write(samples);
      expect(await read(archive, sizes)).toEqual(
        samples.map(({ collection, batches }) => [collection, batches.flat().map((bytes) => bytes.toString('hex'))]),
      );
      const { header, collections } = await scanArchive(chunked(archive, ...sizes));
      expect(header).toEqual(HEADER);
      expect(collections.map(({ documents }) => documents)).toEqual(
        samples.map(({ batches }) => batches.flat().length),
      );
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it('is the same whatever the batches of the server were', async () => {
    const documents = [everyType(1), everyType('2'), everyType(null)];
    const one = await write([{ collection: 'a', batches: [documents] }]);
    const each = await write([{ collection: 'a', batches: documents.map((bytes) => [bytes]) }]);
    expect(each.equals(one)).toBe(true);
  });

  it('has the types of fields that other readers of the format demand', async () => {
    const archive = await write([]);
    const header = archive.subarray(4, -4);
    const wanted = {
      concurrent_collections: new BSON.Int32(1),
      version: '0.1',
      server_version: '8.0.4',
      tool_version: '100.0.0',
    };
    expect(header.equals(BSON.serialize(wanted))).toBe(true);
    const whole = await write([{ collection: 'ü', batches: [] }]);
    const head = { db: 'd', collection: 'ü', EOF: false, CRC: BSON.Long.ZERO };
    const end = { ...head, EOF: true };
    const stop = Buffer.from([255, 255, 255, 255]);
    const tail = Buffer.concat([BSON.serialize(head), stop, BSON.serialize(end), stop]);
    expect(whole.subarray(-tail.byteLength).equals(tail)).toBe(true);
  });

  it('ends with what its documents threw', async () => {
    const about: CollectionMetadata = { db: 'd', collection: 'a', type: 'collection', metadata: '', size: 0 };
    async function* documents(): AsyncGenerator<Buffer[]> {
      yield [everyType(1)];
      throw new Error('the server is gone');
    }
    const archive = writeArchive(HEADER, [{ about, stream: about, documents }]);
    const drain = async () => {
      for await (const _ of archive);
    };
    await expect(drain()).rejects.toThrow('the server is gone');
  });
});
