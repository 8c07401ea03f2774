import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMasterKey } from './master-key.ts';
import { headerBytesAtEnd, headerSize, type PackEntry, packHeader, parsePackHeader } from './pack-header.ts';
import { createSealedBox } from './sealed-box.ts';

const box = createSealedBox(createMasterKey());
const blobs = fc.array(
  fc.record({
    type: fc.constantFrom('data' as const, 'tree' as const),
    id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    storedLength: fc.integer({ min: 32, max: 9_000_000 }),
    plainLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
  }),
  { minLength: 1, maxLength: 40 },
);

function layOut(list: readonly Omit<PackEntry, 'offset'>[]): { entries: PackEntry[]; blobBytes: number } {
  let offset = 0;
  const entries = list.map((blob) => {
    const entry = { ...blob, offset };
    offset += blob.storedLength;
    return entry;
  });
  return { entries, blobBytes: offset };
}

const damaged = expect.objectContaining({ code: 'REPOSITORY_DAMAGED' });

describe('pack header', () => {
  it('goes through its bytes, from any end of the pack that holds it', () => {
    fc.assert(
      fc.property(blobs, fc.nat(100), (list, more) => {
        const { entries, blobBytes } = layOut(list);
        const header = packHeader(box, entries);
        expect(header.byteLength).toBe(headerSize(entries));
        const size = blobBytes + header.byteLength;
        const tail = Buffer.concat([Buffer.alloc(more, 1), header]);
        expect(headerBytesAtEnd(tail.subarray(-4), size)).toBe(header.byteLength);
        const plain = parsePackHeader(box, tail, size).map((entry) => ({ ...entry, id: Uint8Array.from(entry.id) }));
        expect(plain).toEqual(entries);
      }),
    );
  });

  const { entries, blobBytes } = layOut([
    { type: 'data', id: new Uint8Array(32).fill(1), storedLength: 500, plainLength: 0 },
    { type: 'data', id: new Uint8Array(32).fill(2), storedLength: 600, plainLength: 2000 },
  ]);
  const header = packHeader(box, entries);
  const size = blobBytes + header.byteLength;

  it('has the bytes that the format says', () => {
    const plain = box.open(header.subarray(0, -4));
    expect(plain.toString('hex')).toBe(`00f4010000${'01'.repeat(32)}0258020000d0070000${'02'.repeat(32)}`);
    expect(header.readUInt32LE(header.byteLength - 4)).toBe(37 + 41 + 32);
  });

  it('notices damage anywhere in it', () => {
    for (let at = 0; at < header.byteLength; at += 1) {
      const bad = Buffer.from(header);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      expect(() => parsePackHeader(box, bad, size)).toThrow(damaged);
    }
    for (const length of [0, 3, 4, header.byteLength - 1]) {
      expect(() => parsePackHeader(box, header.subarray(header.byteLength - length), size)).toThrow(damaged);
    }
  });

  it('notices a pack that is longer or shorter than its blobs', () => {
    expect(() => parsePackHeader(box, header, size - 1)).toThrow(damaged);
    expect(() => parsePackHeader(box, header, size + 1)).toThrow(damaged);
  });

  it('refuses an authentic header with unknown or half entries', () => {
    for (const plain of [Buffer.alloc(37, 4), Buffer.alloc(36), Buffer.alloc(41, 2).fill(0, 5, 9)]) {
      const sealed = box.seal(plain);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(sealed.byteLength);
      expect(() => parsePackHeader(box, Buffer.concat([sealed, length]), 4096)).toThrow(damaged);
    }
  });
});
