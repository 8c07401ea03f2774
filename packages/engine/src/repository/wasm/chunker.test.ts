import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomPolynomial } from '../format/polynomial.ts';
import {
  CHUNKER_RESERVED_BYTES,
  type Chunker,
  type ChunkerVariant,
  createChunker,
  listChunkerVariants,
  MAX_CHUNK,
  MIN_CHUNK,
} from './chunker.ts';
import { vectorChunks, vectorInput, vectorPolynomial } from './restic-test-vector.ts';

const MiB = 1024 * 1024;

/** Remainder of a polynomial over GF(2), bit by bit. */
function remainder(value: bigint, polynomial: bigint): bigint {
  let rest = value;
  for (let bit = BigInt(rest.toString(2).length - 1); bit >= 53n; bit--) {
    if ((rest >> bit) & 1n) rest ^= polynomial << (bit - 53n);
  }
  return rest;
}

/** Fingerprint by definition: the bytes as one polynomial. */
function fingerprint(bytes: Uint8Array, polynomial: bigint): bigint {
  return remainder(BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`), polynomial);
}

/** One step at a time with 32-bit integers: slow, but without lanes, skipping of blocks or vectors. */
class PlainChunker {
  readonly #shiftedLow = new Int32Array(256);
  readonly #shiftedHigh = new Int32Array(256);
  readonly #leavingLow = new Int32Array(256);
  readonly #leavingHigh = new Int32Array(256);

  constructor(polynomial: bigint) {
    for (let byte = 0; byte < 256; byte++) {
      const shifted = remainder(BigInt(byte) << 53n, polynomial);
      const leaving = remainder(BigInt(byte) << 512n, polynomial);
      this.#shiftedLow[byte] = Number(BigInt.asIntN(32, shifted));
      this.#shiftedHigh[byte] = Number(shifted >> 32n);
      this.#leavingLow[byte] = Number(BigInt.asIntN(32, leaving));
      this.#leavingHigh[byte] = Number(leaving >> 32n);
    }
  }

  findCut(data: Uint8Array, start: number, have: number, scannedTo: number): number {
    const from = Math.max(MIN_CHUNK - 1, scannedTo);
    let [low, high] = [0, 0];
    for (let i = from - 64; i < Math.min(have, MAX_CHUNK); i++) {
      const top = high >>> 13;
      high = ((high & 0x1fff) << 8) | (low >>> 24);
      low = (low << 8) | (data[start + i] ?? 0);
      low ^= this.#shiftedLow[top] ?? 0;
      high ^= this.#shiftedHigh[top] ?? 0;
      if (i >= from) {
        const leaving = data[start + i - 64] ?? 0;
        low ^= this.#leavingLow[leaving] ?? 0;
        high ^= this.#leavingHigh[leaving] ?? 0;
        if ((low & 0xfffff) === 0) return i + 1;
      }
    }
    return have >= MAX_CHUNK ? MAX_CHUNK : 0;
  }
}

/** Bytes of a small generator (xorshift32), the same for the same seed. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed * 2 + 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

const text = (length: number, seed: number): Uint8Array =>
  noise(length, seed).map((byte) => 'INSERT INTO orders VALUES (0123)'.charCodeAt(byte % 32));

function period(length: number, seed: number, size: number): Uint8Array {
  const part = noise(size, seed);
  return new Uint8Array(length).map((_, i) => part[i % size] ?? 0);
}

function cutAll(chunker: Chunker, at: number, length: number): number[] {
  const cuts: number[] = [];
  for (let done = 0; done < length; done += cuts.at(-1) ?? 0) {
    cuts.push(chunker.findCut(at + done, length - done, 0) || length - done);
  }
  return cuts;
}

function load(variant: ChunkerVariant, data: Uint8Array, polynomial = vectorPolynomial): Chunker {
  const chunker = createChunker({ polynomial, memoryBytes: CHUNKER_RESERVED_BYTES + data.length, variant });
  chunker.memory.set(data, CHUNKER_RESERVED_BYTES);
  return chunker;
}

const variants = listChunkerVariants();
const vector = vectorInput();

it('runs at least without vectors, and with them on this runtime', () => {
  expect(variants).toContain('scalar');
  expect(variants).toContain('simd');
});

describe('the plain chunker of this test', () => {
  it('steps from window to window as the definition says', () => {
    const data = noise(MIN_CHUNK + 3 * MiB, 1);
    const cut = new PlainChunker(vectorPolynomial).findCut(data, 0, data.length, 0);
    expect(cut).toBeGreaterThan(MIN_CHUNK);
    expect(fingerprint(data.subarray(cut - 64, cut), vectorPolynomial) & 0xfffffn).toBe(0n);
  });
});

describe.each(variants)('the chunker, %s', (variant) => {
  it("cuts restic's test vector as restic does", () => {
    const cuts = cutAll(load(variant, vector), CHUNKER_RESERVED_BYTES, vector.length);
    let at = 0;
    const found = cuts.map((length) => {
      at += length;
      return [
        length,
        createHash('sha256')
          .update(vector.subarray(at - length, at))
          .digest('hex'),
      ];
    });
    expect(found).toEqual(vectorChunks);
  });

  it('cuts zeros every 512 KiB', () => {
    const length = 4 * MIN_CHUNK;
    expect(cutAll(load(variant, new Uint8Array(length)), CHUNKER_RESERVED_BYTES, length)).toEqual(
      Array(4).fill(MIN_CHUNK),
    );
  });

  it('cuts at 8 MiB what never fits, and not before it has all of them', () => {
    const data = new Uint8Array(2 * MAX_CHUNK).fill(1);
    const chunker = load(variant, data);
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, MAX_CHUNK - 1, 0)).toBe(0);
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, MAX_CHUNK, MAX_CHUNK - 1)).toBe(MAX_CHUNK);
    expect(cutAll(chunker, CHUNKER_RESERVED_BYTES, data.length)).toEqual([MAX_CHUNK, MAX_CHUNK]);
  });

  it('does not cut what is shorter than 512 KiB', () => {
    const chunker = load(variant, new Uint8Array(MIN_CHUNK));
    for (const have of [0, 1, 63, 64, 65, MIN_CHUNK - 1]) {
      expect(chunker.findCut(CHUNKER_RESERVED_BYTES, have, 0), `${have} bytes`).toBe(0);
    }
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, MIN_CHUNK, 0)).toBe(MIN_CHUNK);
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, MIN_CHUNK, MIN_CHUNK)).toBe(0);
  });

  it('finds every possible cut of mixed data, wherever the scan begins and ends', () => {
    const data = mixed(12 * MiB);
    const plain = new PlainChunker(vectorPolynomial);
    const chunker = load(variant, data);
    const compare = (start: number, have: number, scannedTo: number): number => {
      const found = chunker.findCut(CHUNKER_RESERVED_BYTES + start, have, scannedTo);
      expect(found, `from ${start}, ${have} bytes, scanned to ${scannedTo}`).toBe(
        plain.findCut(data, start, have, scannedTo),
      );
      return found;
    };
    const range = fc.record({
      start: fc.nat(data.length - MIN_CHUNK),
      skipped: fc.oneof(fc.constant(0), fc.nat(64), fc.nat(400_000)),
      scanned: fc.oneof(fc.nat(80), fc.nat(5000), fc.nat(400_000)),
    });
    fc.assert(
      fc.property(range, ({ start, skipped, scanned }) => {
        const scannedTo = MIN_CHUNK - 64 + skipped;
        compare(start, Math.min(data.length - start, scannedTo + scanned), scannedTo);
      }),
      { numRuns: 400 },
    );
  });

  it('takes one hit after another from a run of zeros', () => {
    const data = noise(2 * MiB, 8);
    data.fill(0, 700_000, 900_000);
    const chunker = load(variant, data);
    const first = 700_000 + 64;
    for (let scannedTo = first - 1; scannedTo < first + 3000; scannedTo += 7) {
      expect(chunker.findCut(CHUNKER_RESERVED_BYTES, data.length, scannedTo)).toBe(scannedTo + 1);
    }
  });
});

/** Stretches of all kinds next to each other. */
function mixed(length: number): Uint8Array {
  const data = new Uint8Array(length);
  let at = 0;
  for (let part = 1; at < length; part++) {
    const size = Math.min(length - at, 1000 + ((part * 40_503) % 150_000));
    const kinds = [
      () => noise(size, part),
      () => text(size, part),
      () => new Uint8Array(size),
      () => period(size, part, 1 + (part % 300)),
      () => new Uint8Array(size).fill(part),
    ];
    data.set(kinds[part % kinds.length]?.() ?? new Uint8Array(size), at);
    at += size;
  }
  return data;
}

describe('all variants', () => {
  it('agree with the plain chunker for other polynomials', () => {
    const data = Buffer.concat([noise(9 * MiB, 3), text(4 * MiB, 4), mixed(5 * MiB)]);
    for (let round = 0; round < 4; round++) {
      const polynomial = randomPolynomial();
      const plain = new PlainChunker(polynomial);
      const expected: number[] = [];
      for (let done = 0; done < data.length; done += expected.at(-1) ?? 0) {
        expected.push(plain.findCut(data, done, data.length - done, 0) || data.length - done);
      }
      for (const variant of variants) {
        const cuts = cutAll(load(variant, data, polynomial), CHUNKER_RESERVED_BYTES, data.length);
        expect(cuts, `${variant}, polynomial ${polynomial.toString(16)}`).toEqual(expected);
      }
    }
  });

  it('cut the same when the data comes in pieces', () => {
    const data = Buffer.concat([noise(5 * MiB, 5), mixed(4 * MiB)]);
    const chunkers = variants.map((variant) => load(variant, data));
    const whole = cutAll(chunkers[0] as Chunker, CHUNKER_RESERVED_BYTES, data.length);
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 700_000 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(pieces, (sizes) => {
        for (const [index, chunker] of chunkers.entries()) {
          expect(cutInPieces(chunker, data.length, sizes), variants[index]).toEqual(whole);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('find the same boundaries again after an insertion', () => {
    const before = noise(24 * MiB, 6);
    const inserted = Buffer.concat([before.subarray(0, 3_000_001), noise(777, 7), before.subarray(3_000_001)]);
    for (const variant of variants) {
      const ends = (data: Uint8Array): number[] => {
        let at = 0;
        return cutAll(load(variant, data), CHUNKER_RESERVED_BYTES, data.length).map((length) => {
          at += length;
          return at;
        });
      };
      const old = new Set(ends(before));
      const kept = ends(inserted).filter((end) => end > 3_000_778 && old.has(end - 777));
      expect(kept.length, variant).toBeGreaterThan(old.size / 2);
    }
  });
});

/** Sizes are used over and over. */
function cutInPieces(chunker: Chunker, length: number, sizes: readonly number[]): number[] {
  const cuts: number[] = [];
  let [start, have, scannedTo] = [0, 0, 0];
  for (let piece = 0; start + have < length; piece++) {
    have = Math.min(have + (sizes[piece % sizes.length] ?? 1) + 20_000, length - start);
    for (;;) {
      const cut = chunker.findCut(CHUNKER_RESERVED_BYTES + start, have, scannedTo);
      scannedTo = cut === 0 ? have : 0;
      if (cut === 0) break;
      cuts.push(cut);
      start += cut;
      have -= cut;
    }
  }
  if (have > 0) cuts.push(have);
  return cuts;
}

describe('the memory', () => {
  it('is shared, and its last byte can be scanned', () => {
    const chunker = createChunker({
      polynomial: vectorPolynomial,
      memoryBytes: CHUNKER_RESERVED_BYTES + MIN_CHUNK + 1,
    });
    expect(chunker.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    chunker.memory.fill(1, CHUNKER_RESERVED_BYTES);
    const room = chunker.memory.length - CHUNKER_RESERVED_BYTES;
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, room, 0)).toBe(0);
    chunker.memory.fill(0, chunker.memory.length - 64);
    expect(chunker.findCut(CHUNKER_RESERVED_BYTES, room, 0)).toBe(room);
  });

  it('needs a polynomial of degree 53', () => {
    for (const polynomial of [0n, 1n << 52n, 1n << 54n]) {
      expect(() => createChunker({ polynomial, memoryBytes: CHUNKER_RESERVED_BYTES })).toThrow(RangeError);
    }
  });
});
