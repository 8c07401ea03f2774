/**
 * Poly1305 (RFC 8439, section 2.5) in AssemblyScript; `tools/build-wasm.ts` compiles it.
 *
 * The accumulator has four limbs of 32 bits and a small fifth one. Clamping leaves 28 bits in each limb of r and makes
 * r1, r2, r3 divisible by four, so that all products of one step fit into 64 bits and the reduction by 2^130 = 5 is a
 * multiplication with s = r + r / 4. That needs twenty products per block, but only works for r itself and not for its
 * powers; so two halves of a stretch run side by side as independent chains and are joined with a power of r.
 * No branch and no address depends on the key or the message.
 *
 * Memory: the caller writes r to 0, s to 16 and message bytes somewhere from 65536 on; `finish` leaves the tag at 32.
 */

const KEY_R: usize = 0;
const KEY_S: usize = 16;
const TAG: usize = 32;
/** r of the powers that were computed last. */
const KNOWN_R: usize = 48;
/** r^(2^k) for k = 0..11, five limbs of 26 bits, 8 bytes each. */
const POWERS: usize = 64;
const POWER_BYTES: usize = 40;
const MAX_HALF_LOG: i32 = 11;
/** A last block that is not whole. */
const REST: usize = 640;

const LOW32: u64 = 0xffffffff;
const LOW26: u64 = 0x3ffffff;

let r0: u64 = 0;
let r1: u64 = 0;
let r2: u64 = 0;
let r3: u64 = 0;

/** The accumulator, and the second chain's. */
let h0: u64 = 0;
let h1: u64 = 0;
let h2: u64 = 0;
let h3: u64 = 0;
let h4: u64 = 0;
let g0: u64 = 0;
let g1: u64 = 0;
let g2: u64 = 0;
let g3: u64 = 0;
let g4: u64 = 0;

/** Takes the key from memory; the powers of r are kept from one message to the next. */
export function start(): void {
  r0 = load<u32>(KEY_R) & 0x0fffffff;
  r1 = load<u32>(KEY_R, 4) & 0x0ffffffc;
  r2 = load<u32>(KEY_R, 8) & 0x0ffffffc;
  r3 = load<u32>(KEY_R, 12) & 0x0ffffffc;
  h0 = h1 = h2 = h3 = h4 = 0;
  const known = (load<u64>(KNOWN_R) ^ load<u64>(KEY_R)) | (load<u64>(KNOWN_R, 8) ^ load<u64>(KEY_R, 8));
  if (known === 0) return;
  store<u64>(KNOWN_R, load<u64>(KEY_R));
  store<u64>(KNOWN_R, load<u64>(KEY_R, 8), 8);
  storeLimbs(POWERS, r0, r1, r2, r3, 0);
  for (let k = 0; k < MAX_HALF_LOG; k++) {
    const power = POWERS + <usize>k * POWER_BYTES;
    multiply(power + POWER_BYTES, power, power);
  }
}

/** Adds `blocks` blocks of 16 bytes that stand at `at`. */
export function absorb(at: usize, blocks: i32): void {
  while (blocks >= 32) {
    const log = min(MAX_HALF_LOG, 30 - clz(blocks));
    const half = 1 << log;
    absorbPair(at, at + ((<usize>half) << 4), half);
    join(log);
    at += (<usize>half) << 5;
    blocks -= half << 1;
  }
  for (; blocks > 0; blocks--) {
    absorbBlock(load<u64>(at), load<u64>(at, 8), 1);
    at += 16;
  }
}

/** Adds the last 0 to 15 bytes, which stand at `at`, and leaves the tag in memory. What follows them is not touched. */
export function finish(at: usize, rest: i32): void {
  if (rest > 0) {
    store<u64>(REST, 0);
    store<u64>(REST, 0, 8);
    for (let index: usize = 0; index < <usize>rest; index++) store<u8>(REST + index, load<u8>(at + index));
    store<u8>(REST + <usize>rest, 1);
    absorbBlock(load<u64>(REST), load<u64>(REST, 8), 0);
  }
  carry();
  // h + 5 reaches 2^130 exactly when h is not reduced yet; the mask picks h or h - p without a branch.
  let c = (h0 + 5) >> 32;
  c = (h1 + c) >> 32;
  c = (h2 + c) >> 32;
  c = (h3 + c) >> 32;
  c = (h4 + c) >> 2;
  c = h0 + c * 5 + load<u32>(KEY_S);
  store<u32>(TAG, <u32>c);
  c = (c >> 32) + h1 + load<u32>(KEY_S, 4);
  store<u32>(TAG, <u32>c, 4);
  c = (c >> 32) + h2 + load<u32>(KEY_S, 8);
  store<u32>(TAG, <u32>c, 8);
  c = (c >> 32) + h3 + load<u32>(KEY_S, 12);
  store<u32>(TAG, <u32>c, 12);
}

/** h = (h + block) · r. */
function absorbBlock(low: u64, high: u64, top: u64): void {
  const s1 = r1 + (r1 >> 2);
  const s2 = r2 + (r2 >> 2);
  const s3 = r3 + (r3 >> 2);
  const a0 = h0 + (low & LOW32);
  const a1 = h1 + (low >> 32);
  const a2 = h2 + (high & LOW32);
  const a3 = h3 + (high >> 32);
  const a4 = h4 + top;
  const d0 = a0 * r0 + a1 * s3 + a2 * s2 + a3 * s1;
  const d1 = a0 * r1 + a1 * r0 + a2 * s3 + a3 * s2 + a4 * s1 + (d0 >> 32);
  const d2 = a0 * r2 + a1 * r1 + a2 * r0 + a3 * s3 + a4 * s2 + (d1 >> 32);
  const d3 = a0 * r3 + a1 * r2 + a2 * r1 + a3 * r0 + a4 * s3 + (d2 >> 32);
  const d4 = a4 * r0 + (d3 >> 32);
  // h0 stays below 2.57 · 2^32 and the others below 2^32, so the sums of the next step stay below 11.1 · 2^60.
  h0 = (d0 & LOW32) + (d4 >> 2) * 5;
  h1 = d1 & LOW32;
  h2 = d2 & LOW32;
  h3 = d3 & LOW32;
  h4 = d4 & 3;
}

/** Two chains side by side: h goes on with the blocks at `first`, g starts with those at `second`. */
function absorbPair(first: usize, second: usize, blocks: i32): void {
  const k0 = r0;
  const k1 = r1;
  const k2 = r2;
  const k3 = r3;
  const s1 = k1 + (k1 >> 2);
  const s2 = k2 + (k2 >> 2);
  const s3 = k3 + (k3 >> 2);
  let a0 = h0;
  let a1 = h1;
  let a2 = h2;
  let a3 = h3;
  let a4 = h4;
  let b0: u64 = 0;
  let b1: u64 = 0;
  let b2: u64 = 0;
  let b3: u64 = 0;
  let b4: u64 = 0;
  for (const end = first + ((<usize>blocks) << 4); first < end; first += 16) {
    a0 += load<u32>(first);
    a1 += load<u32>(first, 4);
    a2 += load<u32>(first, 8);
    a3 += load<u32>(first, 12);
    a4 += 1;
    const d0 = a0 * k0 + a1 * s3 + a2 * s2 + a3 * s1;
    const d1 = a0 * k1 + a1 * k0 + a2 * s3 + a3 * s2 + a4 * s1 + (d0 >> 32);
    const d2 = a0 * k2 + a1 * k1 + a2 * k0 + a3 * s3 + a4 * s2 + (d1 >> 32);
    const d3 = a0 * k3 + a1 * k2 + a2 * k1 + a3 * k0 + a4 * s3 + (d2 >> 32);
    const d4 = a4 * k0 + (d3 >> 32);
    a0 = (d0 & LOW32) + (d4 >> 2) * 5;
    a1 = d1 & LOW32;
    a2 = d2 & LOW32;
    a3 = d3 & LOW32;
    a4 = d4 & 3;
    b0 += load<u32>(second);
    b1 += load<u32>(second, 4);
    b2 += load<u32>(second, 8);
    b3 += load<u32>(second, 12);
    b4 += 1;
    const e0 = b0 * k0 + b1 * s3 + b2 * s2 + b3 * s1;
    const e1 = b0 * k1 + b1 * k0 + b2 * s3 + b3 * s2 + b4 * s1 + (e0 >> 32);
    const e2 = b0 * k2 + b1 * k1 + b2 * k0 + b3 * s3 + b4 * s2 + (e1 >> 32);
    const e3 = b0 * k3 + b1 * k2 + b2 * k1 + b3 * k0 + b4 * s3 + (e2 >> 32);
    const e4 = b4 * k0 + (e3 >> 32);
    b0 = (e0 & LOW32) + (e4 >> 2) * 5;
    b1 = e1 & LOW32;
    b2 = e2 & LOW32;
    b3 = e3 & LOW32;
    b4 = e4 & 3;
    second += 16;
  }
  h0 = a0;
  h1 = a1;
  h2 = a2;
  h3 = a3;
  h4 = a4;
  g0 = b0;
  g1 = b1;
  g2 = b2;
  g3 = b3;
  g4 = b4;
}

/** h = h · r^(2^log) + g. */
function join(log: i32): void {
  // Exact here: a chain leaves h4 with two bits, and when they overflow, h0 is small.
  carry();
  const product = POWERS + (<usize>MAX_HALF_LOG + 1) * POWER_BYTES;
  storeLimbs(product, h0, h1, h2, h3, h4);
  multiply(product, product, POWERS + <usize>log * POWER_BYTES);
  const p0 = load<u64>(product);
  const p1 = load<u64>(product, 8);
  const p2 = load<u64>(product, 16);
  const p3 = load<u64>(product, 24);
  const p4 = load<u64>(product, 32);
  // Limbs may be a little over 26 bits, hence sums and not ORs.
  const low = p0 + (p1 << 26);
  const middle = (low >> 32) + (p2 << 20);
  h0 = (low & LOW32) + g0;
  h1 = (middle & LOW32) + g1;
  const high = (middle >> 32) + (p3 << 14);
  const top = (high >> 32) + (p4 << 8);
  h2 = (high & LOW32) + g2;
  h3 = (top & LOW32) + g3;
  h4 = (top >> 32) + g4;
  carry();
}

/**
 * Brings h1..h3 back to 32 bits each and h4 to two, and h0 too unless h4 had more than two; then it may exceed 2^32 by a
 * few, which every user of the result bears. The value may still be p or a little more.
 */
function carry(): void {
  h1 += h0 >> 32;
  h2 += h1 >> 32;
  h3 += h2 >> 32;
  h4 += h3 >> 32;
  h0 = (h0 & LOW32) + (h4 >> 2) * 5;
  h1 &= LOW32;
  h2 &= LOW32;
  h3 &= LOW32;
  h4 &= 3;
}

/** Stores a number of five 32-bit limbs (the last one small) as five limbs of 26 bits. */
function storeLimbs(to: usize, n0: u64, n1: u64, n2: u64, n3: u64, n4: u64): void {
  const low = n0 | (n1 << 32);
  const high = n2 | (n3 << 32);
  store<u64>(to, low & LOW26);
  store<u64>(to, (low >> 26) & LOW26, 8);
  store<u64>(to, ((low >> 52) | (high << 12)) & LOW26, 16);
  store<u64>(to, (high >> 14) & LOW26, 24);
  store<u64>(to, (high >> 40) | (n4 << 24), 32);
}

/** to = a · b mod 2^130 - 5, partly reduced; `to` may be `a` or `b`. */
function multiply(to: usize, a: usize, b: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  const a3 = load<u64>(a, 24);
  const a4 = load<u64>(a, 32);
  const b0 = load<u64>(b);
  const b1 = load<u64>(b, 8);
  const b2 = load<u64>(b, 16);
  const b3 = load<u64>(b, 24);
  const b4 = load<u64>(b, 32);
  const d0 = a0 * b0 + 5 * (a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1);
  const d1 = a0 * b1 + a1 * b0 + 5 * (a2 * b4 + a3 * b3 + a4 * b2) + (d0 >> 26);
  const d2 = a0 * b2 + a1 * b1 + a2 * b0 + 5 * (a3 * b4 + a4 * b3) + (d1 >> 26);
  const d3 = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + 5 * (a4 * b4) + (d2 >> 26);
  const d4 = a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 + (d3 >> 26);
  const low = (d0 & LOW26) + 5 * (d4 >> 26);
  store<u64>(to, low & LOW26);
  store<u64>(to, (d1 & LOW26) + (low >> 26), 8);
  store<u64>(to, d2 & LOW26, 16);
  store<u64>(to, d3 & LOW26, 24);
  store<u64>(to, d4 & LOW26, 32);
}
