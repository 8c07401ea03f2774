import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from './blob-id.ts';
import { type IndexedPack, indexJson, packIndex, parseIndex } from './index-file.ts';

const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const number = fc.integer({ min: 0, max: 0xffffffff });
const packs: fc.Arbitrary<IndexedPack[]> = fc.array(
  fc.record({
    id: id.map(toHex),
    entries: fc.array(
      fc.record({
        type: fc.constantFrom('data' as const, 'tree' as const),
        id,
        offset: number,
        storedLength: number,
        plainLength: number,
      }),
    ),
  }),
);

/** Everything that `parseIndex` tells, in the form of what was packed. */
function read(json: string | Uint8Array): IndexedPack[] {
  const found: { id: string; entries: IndexedPack['entries'][number][] }[] = [];
  parseIndex(
    typeof json === 'string' ? Buffer.from(json) : json,
    (packId) => found.push({ id: toHex(packId), entries: [] }) - 1,
    ({ packNumber, ...blob }) => found[packNumber]?.entries.push({ ...blob, id: Uint8Array.from(blob.id) }),
  );
  return found;
}

const plainId = (entry: IndexedPack['entries'][number]) => ({ ...entry, id: Uint8Array.from(entry.id) });

const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);
const blobA = `{"id":"${A}","type":"tree","offset":5,"length":6,"uncompressed_length":7}`;
const readA = { id: new Uint8Array(32).fill(0xaa), type: 'tree', offset: 5, storedLength: 6, plainLength: 7 };

describe('index file', () => {
  it('goes through its JSON', () => {
    fc.assert(
      fc.property(packs, (list) => {
        expect(read(packIndex(list))).toEqual(list);
      }),
    );
  });

  it('reads the usual form as it reads any other', () => {
    const outcome = (json: string) => {
      try {
        return read(json);
      } catch (error) {
        return String(error).replace(/at byte \d+/, '');
      }
    };
    const nonEmpty = packs.filter((list) => list.some(({ entries }) => entries.length > 0));
    const character = fc.constantFrom('0', '9', 'a', 'F', 'g', '"', ',', ':', '{', '}', '-', '.', ' ');
    fc.assert(
      fc.property(nonEmpty, fc.nat(), fc.option(character), (list, place, changed) => {
        const json = packIndex(list).toString();
        const at = place % json.length;
        const changedJson = changed === null ? json : json.slice(0, at) + changed + json.slice(at + 1);
        // A space makes it another form.
        expect(outcome(changedJson)).toEqual(outcome(changedJson.replaceAll('{"id"', '{ "id"')));
      }),
      { numRuns: 2000 },
    );
  });

  it('knows its size before it is made, and never makes much at once', () => {
    fc.assert(
      fc.property(packs, (list) => {
        const { sizeBytes, pieces } = indexJson(list);
        expect(Buffer.concat([...pieces]).byteLength).toBe(sizeBytes);
      }),
    );
    const entry = { type: 'data', id: Buffer.from(A, 'hex'), offset: 10, storedLength: 9, plainLength: 99 } as const;
    const many = [{ id: A, entries: Array.from({ length: 5000 }, () => entry) }];
    const { sizeBytes, pieces } = indexJson(many);
    const made = [...pieces];
    expect(Math.max(...made.map((piece) => piece.byteLength))).toBeLessThan(sizeBytes / 10);
    expect(read(Buffer.concat(made))).toEqual(many.map((pack) => ({ ...pack, entries: pack.entries.map(plainId) })));
  });

  it('is JSON in the form of restic', () => {
    const entries = [
      { type: 'data', id: Buffer.from(A, 'hex'), offset: 0, storedLength: 40, plainLength: 0 } as const,
      { type: 'data', id: Buffer.from(B, 'hex'), offset: 40, storedLength: 50, plainLength: 99 } as const,
    ];
    expect(JSON.parse(packIndex([{ id: B, entries }]).toString())).toEqual({
      packs: [
        {
          id: B,
          blobs: [
            { id: A, type: 'data', offset: 0, length: 40 },
            { id: B, type: 'data', offset: 40, length: 50, uncompressed_length: 99 },
          ],
        },
      ],
    });
  });

  it('reads any other writing of the same', () => {
    fc.assert(
      fc.property(packs, fc.nat(4), (list, indent) => {
        const text = JSON.stringify(JSON.parse(packIndex(list).toString()), null, indent);
        expect(read(text)).toEqual(list);
      }),
    );
  });

  it('passes over what it does not know and takes fields in any order', () => {
    const odd = `{"supersedes":["${B}"],"x":{"a":[1,-2.5e9,true,null,"q\\"]}"],"b":{}},"packs":[{"blobs":[${blobA.replace(
      '"type"',
      '"new":[{}],"type"',
    )}],"time":"now","id":"${B}"}],"packs_to_delete":[{"id":"${A}","blobs":[]}]}`;
    expect(read(odd)).toEqual([{ id: B, entries: [readA] }]);
    expect(read(`{"packs":null}`)).toEqual([]);
    expect(read(`{"packs":[{"id":"${B}","blobs":null}]}`)).toEqual([{ id: B, entries: [] }]);
  });

  it.each([
    '',
    '{',
    '[]',
    '{"packs":[}',
    '{"packs":[{"id":"aa","blobs":[]}]}',
    `{"packs":[{"id":"${'zz'.repeat(32)}","blobs":[]}]}`,
    `{"packs":[{"blobs":[${blobA}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[{"id":"${A}","type":"data","offset":-1,"length":6}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[{"id":"${A}","type":"data","offset":1.5,"length":6}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[{"id":"${A}","type":"data","offset":99999999999,"length":6}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[{"type":"data","offset":1,"length":6}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[{"id":"${A}","type":"fish","offset":1,"length":6}]}]}`,
    `{"packs":[{"id":"${B}","blobs":[${blobA}]}]} x`,
    `{"packs":[{"id":"${B}","blobs":[${blobA}]`,
    '{"packs":[],"x":"never ends',
  ])('refuses %s', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  });
});
