/**
 * restic's content-defined chunking in AssemblyScript; `tools/build-wasm.ts` compiles it three times: with relaxed SIMD,
 * with SIMD and with neither.
 *
 * A chunk may end where the Rabin fingerprint of its last 64 bytes (the bytes as a polynomial over GF(2), modulo an
 * irreducible one of degree 53) has twenty zero bits at its low end, not before 512 KiB and at 8 MiB at the latest. So a
 * cut depends on 64 bytes only: everything before the first possible cut is skipped, and adjacent stretches are
 * scanned side by side, which hides that each step waits for the one before.
 */
import { MOD_TABLE, OUT_TABLE } from './chunker-memory';
import { scanVectors } from './chunker-vectors';

const MIN: i32 = 524288;
const MAX: i32 = 8388608;
const WINDOW: i32 = 64;
const MASK: u64 = 0xfffff;
/** Shorter ranges are not worth the start of sixteen lanes. */
const VECTOR_RANGE: i32 = 2048;
const VECTOR_LANES: i32 = 16;
const VECTOR_STRETCH: i32 = 4096;
/** The same for four scalar lanes. */
const SCALAR_RANGE: i32 = 1024;
const SCALAR_STRETCH: i32 = 16384;

/**
 * Length of the chunk at the address `start` of which `have` bytes are there; 0 when it does not end within them.
 * No cut is looked for at lengths up to `scannedTo`.
 */
export function findCut(start: i32, have: i32, scannedTo: i32): i32 {
  // These name the last byte of a possible chunk.
  const from = max(MIN - 1, scannedTo);
  const end = min(have, MAX - 1);
  const found = ASC_FEATURE_SIMD ? scanVectorized(start, from, end) : scanScalar(start, from, end);
  if (found !== 0) return found;
  return have >= MAX ? MAX : 0;
}

/** Length of the first chunk that ends with a byte in [from, end), or 0. */
function scanVectorized(start: i32, from: i32, end: i32): i32 {
  // Runs of zeros end every chunk at its first possible byte.
  if (from < end && scanOne(start, from, from + 1) !== 0) return from + 1;
  while (end - from >= VECTOR_RANGE) {
    const stretch = min(VECTOR_STRETCH, ((end - from) / VECTOR_LANES) & ~15);
    // Lanes with a hit are replayed in the order of the bytes; the first is the cut.
    for (let hits = scanVectors(start + from, stretch); hits !== 0; hits &= hits - 1) {
      const at = from + ctz(hits) * stretch;
      const found = scanScalar(start, at, at + stretch);
      if (found !== 0) return found;
    }
    from += VECTOR_LANES * stretch;
  }
  return scanScalar(start, from, end);
}

/** The same without vectors. */
function scanScalar(start: i32, from: i32, end: i32): i32 {
  while (end - from >= SCALAR_RANGE) {
    const stretch = min(SCALAR_STRETCH, (end - from) >> 2);
    const found = scanFour(start + from, stretch);
    if (found !== 0) return from + found;
    from += stretch << 2;
  }
  return scanOne(start, from, end);
}

function scanOne(start: i32, from: i32, end: i32): i32 {
  if (from >= end) return 0;
  let digest = fingerprint(start + from - WINDOW);
  for (; from < end; from++) {
    digest = slide(digest, start + from);
    if ((digest & MASK) === 0) return from + 1;
  }
  return 0;
}

/** Four lanes over adjacent stretches from `at`; how many bytes lie up to the first hit, including its own; or 0. */
function scanFour(at: usize, stretch: i32): i32 {
  const second = at + stretch;
  const third = second + stretch;
  const fourth = third + stretch;
  let digest0 = fingerprint(at - WINDOW);
  let digest1 = fingerprint(second - WINDOW);
  let digest2 = fingerprint(third - WINDOW);
  let digest3 = fingerprint(fourth - WINDOW);
  let hit1 = 0;
  let hit2 = 0;
  let hit3 = 0;
  for (let i = 0; i < stretch; i++) {
    digest0 = slide(digest0, at + i);
    digest1 = slide(digest1, second + i);
    digest2 = slide(digest2, third + i);
    digest3 = slide(digest3, fourth + i);
    if ((digest0 & MASK) === 0) return i + 1;
    if ((digest1 & MASK) === 0 && hit1 === 0) hit1 = stretch + i + 1;
    if ((digest2 & MASK) === 0 && hit2 === 0) hit2 = 2 * stretch + i + 1;
    if ((digest3 & MASK) === 0 && hit3 === 0) hit3 = 3 * stretch + i + 1;
  }
  return hit1 !== 0 ? hit1 : hit2 !== 0 ? hit2 : hit3;
}

/** Fingerprint of the 64 bytes from `at`. */
function fingerprint(at: usize): u64 {
  let digest: u64 = 0;
  for (const end = at + WINDOW; at < end; at++) digest = append(digest, load<u8>(at));
  return digest;
}

/** Moves the window by one: the byte at `at` comes in, the one 64 before leaves. */
function slide(digest: u64, at: usize): u64 {
  const leaving = <usize>load<u8>(at - WINDOW);
  return append(digest ^ load<u64>(OUT_TABLE + (leaving << 3)), load<u8>(at));
}

function append(digest: u64, byte: u8): u64 {
  return ((digest << 8) | <u64>byte) ^ load<u64>(MOD_TABLE + ((<usize>(digest >> 45)) << 3));
}
