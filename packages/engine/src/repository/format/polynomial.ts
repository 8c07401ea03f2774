/**
 * Polynomials over GF(2), as bits of a bigint: choosing and proving the one that a repository's chunker works with.
 * Only for set-up; chunking itself runs in WebAssembly.
 */
import { randomBytes } from 'node:crypto';

/** Degree that restic's chunker works with. */
export const POLYNOMIAL_DEGREE = 53;
const TOP_BIT = 1n << BigInt(POLYNOMIAL_DEGREE);

/** A random irreducible polynomial of degree 53 (about one in fifty is; restic/chunker, RandomPolynomial). */
export function randomPolynomial(): bigint {
  for (;;) {
    const candidate = (randomBytes(8).readBigUInt64LE() % TOP_BIT) | TOP_BIT | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
}

/** Ben-Or's test: no factor of degree i divides `x^(2^i) - x`, for all i up to half the degree. */
export function isIrreducible(p: bigint): boolean {
  const degree = degreeOf(p);
  if (degree < 1) return false;
  let power = 2n;
  for (let i = 1; i <= degree >> 1; i += 1) {
    power = squareModulo(power, p);
    if (greatestDivisor(p, power ^ 2n) !== 1n) return false;
  }
  return true;
}

/** -1 for zero. */
export function degreeOf(p: bigint): number {
  return p === 0n ? -1 : p.toString(2).length - 1;
}

function modulo(value: bigint, p: bigint): bigint {
  const degree = degreeOf(p);
  let rest = value;
  for (let shift = degreeOf(rest) - degree; shift >= 0; shift = degreeOf(rest) - degree) rest ^= p << BigInt(shift);
  return rest;
}

/** Squaring over GF(2) puts a zero between the bits. */
function squareModulo(value: bigint, p: bigint): bigint {
  const spread = value.toString(2).split('').join('0');
  return modulo(BigInt(`0b${spread}`), p);
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  let [large, small] = [a, b];
  while (small !== 0n) [large, small] = [small, modulo(large, small)];
  return large;
}
