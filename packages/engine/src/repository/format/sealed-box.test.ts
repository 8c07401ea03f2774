import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMasterKey, packMasterKey, unpackMasterKey } from './master-key.ts';
import { RESTIC_CONFIG, RESTIC_KEY } from './restic-samples.ts';
import { createSealedBox, SEAL_OVERHEAD } from './sealed-box.ts';

const key = createMasterKey();

describe('sealed box', () => {
  it('opens what restic 0.14 sealed', () => {
    // Out of a repository of restic's: its key, and its config file.
    const theirs = unpackMasterKey(RESTIC_KEY);
    const config = createSealedBox(theirs).open(Buffer.from(RESTIC_CONFIG, 'hex'));
    expect(JSON.parse(config.toString())).toEqual({
      version: 2,
      id: '60f5d9947598c1833f3cbcad52452adfeb5f819c7b46ed156501acd8383328f3',
      chunker_polynomial: '329e9779dde479',
    });
  });

  it('gives back any bytes, with a new IV each time', () => {
    const box = createSealedBox(key);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (plain) => {
        const sealed = box.seal(plain);
        expect(sealed.byteLength).toBe(plain.byteLength + SEAL_OVERHEAD);
        expect(box.seal(plain).equals(sealed)).toBe(false);
        expect(new Uint8Array(createSealedBox(key).open(sealed))).toEqual(plain);
        const target = new Uint8Array(plain.byteLength + 1);
        expect(box.openInto(sealed, target)).toBe(plain.byteLength);
        expect([...target]).toEqual([...plain, 0]);
      }),
    );
  });

  it('never uses an IV twice, also over several draws', () => {
    const box = createSealedBox(key);
    const ivs = new Set(Array.from({ length: 1000 }, () => box.seal(new Uint8Array(0)).toString('hex', 0, 16)));
    expect(ivs.size).toBe(1000);
  });

  it('seals into a given place of shared memory and reads from it', () => {
    const box = createSealedBox(key);
    const shared = new Uint8Array(new SharedArrayBuffer(4096));
    shared.fill(7, 0, 1000);
    expect(box.sealInto(shared.subarray(0, 1000), shared, 2000)).toBe(1032);
    expect([...box.open(shared.subarray(2000, 3032))]).toEqual(Array(1000).fill(7));
    expect(box.openInto(shared.subarray(2000, 3032), shared.subarray(3040))).toBe(1000);
    expect([...shared.subarray(3039, 4041)]).toEqual([0, ...Array(1000).fill(7), 0]);
    expect(shared[1999]).toBe(0);
    expect(shared[3032]).toBe(0);
  });

  it('notices every flipped bit and every missing byte', () => {
    const box = createSealedBox(key);
    const sealed = box.seal(Buffer.from('forty-two bytes that nobody may touch, ok?'));
    for (let bit = 0; bit < sealed.byteLength * 8; bit += 1) {
      const damaged = Buffer.from(sealed);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => box.open(damaged)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
      expect(() => box.openInto(damaged, new Uint8Array(100))).toThrow(
        expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }),
      );
    }
    for (let length = 0; length < sealed.byteLength; length += 1) {
      expect(() => box.open(sealed.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }),
      );
    }
  });

  it('does not open with another key', () => {
    const sealed = createSealedBox(key).seal(Buffer.from('secret'));
    for (const part of ['macK', 'macR'] as const) {
      const other = createSealedBox({ ...key, [part]: createMasterKey()[part] });
      expect(() => other.open(sealed)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
    }
  });
});

describe('master key', () => {
  it('goes through its text', () => {
    expect(unpackMasterKey(packMasterKey(key))).toEqual(key);
    expect(Buffer.from(packMasterKey(key), 'base64').subarray(32, 48).equals(key.macK)).toBe(true);
  });

  it('is the same whatever stands in the bits that nothing uses', () => {
    const bits = Buffer.from(packMasterKey(key), 'base64');
    bits[51] = (bits[51] ?? 0) | 0xf0;
    bits[52] = (bits[52] ?? 0) | 0x03;
    const same = unpackMasterKey(bits.toString('base64'));
    expect(same).toEqual(key);
    expect(
      createSealedBox(same)
        .open(createSealedBox(key).seal(Buffer.from('x')))
        .toString(),
    ).toBe('x');
  });

  it('refuses a text that is no key', () => {
    for (const text of ['', 'AAAA', packMasterKey(key).slice(4)]) {
      expect(() => unpackMasterKey(text)).toThrow(expect.objectContaining({ code: 'REPOSITORY_UNSUPPORTED' }));
    }
  });
});
