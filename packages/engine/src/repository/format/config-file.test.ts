import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packConfig, parseConfig, parsePolynomial } from './config-file.ts';
import { degreeOf, isIrreducible, randomPolynomial } from './polynomial.ts';

const ID = 'cd'.repeat(32);
const json = (fields: object) =>
  Buffer.from(JSON.stringify({ version: 2, id: ID, chunker_polynomial: '3da3358b4dc173', ...fields }));

/** Product over GF(2). */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let shift = 0n; b >> shift > 0n; shift += 1n) if ((b >> shift) & 1n) product ^= a << shift;
  return product;
}

describe('polynomials', () => {
  it('of restic are irreducible', () => {
    // restic/chunker's own test vector, and two of repositories that restic made.
    for (const p of [0x3da3358b4dc173n, 0x329e9779dde479n, 0x25b468838dcb75n]) expect(isIrreducible(p)).toBe(true);
  });

  it('of small degree: exactly those without a factor', () => {
    const products = new Set<bigint>();
    for (let a = 2n; a < 256n; a += 1n) for (let b = 2n; b < 256n; b += 1n) products.add(multiply(a, b));
    for (let p = 2n; p < 256n; p += 1n) expect(isIrreducible(p)).toBe(!products.has(p));
    expect([0n, 1n].map(isIrreducible)).toEqual([false, false]);
  });

  it('that are products are not', () => {
    const factor = fc.bigInt({ min: 2n, max: 2n ** 27n });
    fc.assert(
      fc.property(factor, factor, (a, b) => {
        expect(isIrreducible(multiply(a, b))).toBe(false);
      }),
    );
  });

  it('chosen at random are irreducible, of degree 53, and not the same', () => {
    const chosen = Array.from({ length: 10 }, randomPolynomial);
    for (const p of chosen) {
      expect(degreeOf(p)).toBe(53);
      expect(isIrreducible(p)).toBe(true);
    }
    expect(new Set(chosen).size).toBe(10);
  });
});

describe('config', () => {
  it('goes through its JSON', () => {
    const config = { version: 2, id: ID, chunkerPolynomial: 0x3da3358b4dc173n } as const;
    expect(packConfig(config).toString()).toBe(json({}).toString());
    expect(parseConfig(packConfig(config))).toEqual(config);
    expect(parseConfig(json({ version: 1, more: true })).version).toBe(1);
  });

  it.each([
    ['a version of the future', { version: 3 }],
    ['version 0', { version: 0 }],
    ['a reducible polynomial', { chunker_polynomial: '3da3358b4dc172' }],
    ['a polynomial of another degree', { chunker_polynomial: 'b' }],
    ['no polynomial', { chunker_polynomial: '0' }],
  ])('of %s is not supported', (_, fields) => {
    expect(() => parseConfig(json(fields))).toThrow(expect.objectContaining({ code: 'REPOSITORY_UNSUPPORTED' }));
  });

  it.each([
    ['no JSON', Buffer.from('config')],
    ['no version', json({ version: undefined })],
    ['no id', json({ id: 'x' })],
    ['a polynomial that is no number', json({ chunker_polynomial: 'xyz' })],
    ['a polynomial that is too long', json({ chunker_polynomial: '13da3358b4dc17300' })],
  ])('with %s is damaged', (_, bytes) => {
    expect(() => parseConfig(bytes)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  });

  it('takes a polynomial from a user only in hex', () => {
    expect(parsePolynomial('3DA3358B4DC173')).toBe(0x3da3358b4dc173n);
    for (const text of ['', '0x3da3358b4dc173', '3da3358b4dc173 ']) {
      expect(() => parsePolynomial(text)).toThrow(expect.objectContaining({ code: 'REPOSITORY_UNSUPPORTED' }));
    }
  });
});
