/**
 * Sixteen lanes of the fingerprint in byte vectors. A state is 53 bits; shifted left by 3 it fills seven bytes, byte k
 * of all lanes is one vector vk, and the byte that falls out at the top is exactly v6. A step looks up, by its two
 * halves, what v6 and the leaving byte contribute to each vector.
 */
import { NIBBLE_TABLES, RING, RING_BYTES } from './chunker-memory';

const WINDOW: i32 = 64;
const STEP_BYTES: usize = 16;

/**
 * A bit for each of 16 adjacent stretches from `at` in which a chunk may end; `stretch` is a multiple of 16. Reads the
 * 64 bytes before each stretch too.
 */
export function scanVectors(at: usize, stretch: i32): i32 {
  memory.fill(RING, 0, RING_BYTES);
  const nibble = i8x16.splat(0x0f);
  let v0 = i8x16.splat(0);
  let v1 = v0;
  let v2 = v0;
  let v3 = v0;
  let v4 = v0;
  let v5 = v0;
  let v6 = v0;
  let least = i8x16.splat(-1);
  let write = RING;
  for (let offset = -WINDOW; offset < stretch; offset += 16) {
    transpose(at + offset, stretch, write);
    let leaving = write + STEP_BYTES * 16;
    if (leaving === RING + RING_BYTES) leaving = RING;
    if (offset === 0) least = i8x16.splat(-1);
    for (const end = write + STEP_BYTES * 16; write < end; write += STEP_BYTES) {
      const x = v128.load(write);
      const y = v128.load(leaving);
      leaving += STEP_BYTES;
      const yl = v128.and(y, nibble);
      const yh = v128.and(i16x8.shr_u(y, 4), nibble);
      const ml = v128.and(v6, nibble);
      const mh = v128.and(i16x8.shr_u(v6, 4), nibble);
      v6 = v128.xor(v5, feed(6, ml, mh, yl, yh));
      v5 = v128.xor(v4, feed(5, ml, mh, yl, yh));
      v4 = v128.xor(v3, feed(4, ml, mh, yl, yh));
      v3 = v128.xor(v2, feed(3, ml, mh, yl, yh));
      v2 = v128.xor(v1, feed(2, ml, mh, yl, yh));
      v1 = v128.xor(v128.xor(v0, highBits(x)), feed(1, ml, mh, yl, yh));
      v0 = v128.xor(lowBits(x), feed(0, ml, mh, yl, yh));
      least = i8x16.min_u(least, v128.or(v128.or(v0, v1), i8x16.add(v2, v2)));
    }
    if (write === RING + RING_BYTES) write = RING;
  }
  return i8x16.bitmask(i8x16.eq(least, i8x16.splat(0)));
}

/** The five bits of a byte that belong into the lowest byte of the shifted state, moved to their place. */
function lowBits(x: v128): v128 {
  return v128.and(i16x8.shl(x, 3), i8x16.splat(-8));
}

/** The other three. */
function highBits(x: v128): v128 {
  return v128.and(i16x8.shr_u(x, 5), i8x16.splat(7));
}

function feed(k: usize, ml: v128, mh: v128, yl: v128, yh: v128): v128 {
  const table = NIBBLE_TABLES + k * 64;
  return v128.xor(
    v128.xor(lookUp(v128.load(table), ml), lookUp(v128.load(table, 16), mh)),
    v128.xor(lookUp(v128.load(table, 32), yl), lookUp(v128.load(table, 48), yh)),
  );
}

function lookUp(table: v128, index: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, index) : i8x16.swizzle(table, index);
}

/** Reads 16 bytes of each of 16 stretches and writes 16 vectors, one for each step. */
function transpose(from: usize, stretch: usize, to: usize): void {
  transposeHalf(from, stretch, to);
  transposeHalf(from + 8 * stretch, stretch, to + 8);
}

/** The same for eight stretches, into one half of each vector. */
function transposeHalf(from: usize, stretch: usize, to: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + stretch);
  const r2 = v128.load(from + 2 * stretch);
  const r3 = v128.load(from + 3 * stretch);
  const r4 = v128.load(from + 4 * stretch);
  const r5 = v128.load(from + 5 * stretch);
  const r6 = v128.load(from + 6 * stretch);
  const r7 = v128.load(from + 7 * stretch);
  transposeQuarter(low(r0, r4), low(r1, r5), low(r2, r6), low(r3, r7), to);
  transposeQuarter(high(r0, r4), high(r1, r5), high(r2, r6), high(r3, r7), to + 8 * STEP_BYTES);
}

function transposeQuarter(a04: v128, a15: v128, a26: v128, a37: v128, to: usize): void {
  storePairs(low(a04, a26), low(a15, a37), to);
  storePairs(high(a04, a26), high(a15, a37), to + 4 * STEP_BYTES);
}

function storePairs(even: v128, odd: v128, to: usize): void {
  const first = low(even, odd);
  const second = high(even, odd);
  v128.store64_lane(to, first, 0);
  v128.store64_lane(to + STEP_BYTES, first, 1);
  v128.store64_lane(to + 2 * STEP_BYTES, second, 0);
  v128.store64_lane(to + 3 * STEP_BYTES, second, 1);
}

/** Interleaves the low halves. */
function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** Interleaves the high halves. */
function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
