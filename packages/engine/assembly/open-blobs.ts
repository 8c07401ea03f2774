/**
 * Opens many small sealed blobs (`IV[16] ‖ AES-256-CTR(plain) ‖ tag[16]`) at once, in AssemblyScript;
 * `tools/build-wasm.ts` compiles it. AES itself is the caller's part, who has the processor's instructions for it: it
 * turns IVs into one-time keys and counter blocks into the key stream, each for all blobs in one call.
 *
 * Memory: r at 0 as in `poly1305.ts`; IVs at 4096 and one-time keys at 8192, 16 bytes per blob; the blobs from 65536 on;
 * counter blocks, and in their place the key stream, from 196608 on.
 */
import { absorb, finish, start } from './poly1305';

const KEY_S: usize = 16;
const TAG: usize = 32;
const IVS: usize = 4096;
const KEYS: usize = 8192;
const BLOCK: usize = 16;

/** Notes the IV of the blob at `at`, which is the `number`th. */
export function noteIv(at: usize, number: usize): void {
  store<u64>(IVS + number * BLOCK, load<u64>(at));
  store<u64>(IVS + number * BLOCK, load<u64>(at, 8), 8);
}

/**
 * True when the blob at `at` of `length` bytes (32 or more) is authentic. No branch depends on what its tag should be.
 * An IV of zeros means "never set" to restic, which refuses it.
 */
export function isAuthentic(at: usize, length: i32, number: usize): bool {
  store<u64>(KEY_S, load<u64>(KEYS + number * BLOCK));
  store<u64>(KEY_S, load<u64>(KEYS + number * BLOCK, 8), 8);
  start();
  const bytes = length - 32;
  const body = at + BLOCK;
  absorb(body, bytes >> 4);
  finish(body + <usize>(bytes & ~15), bytes & 15);
  const given = body + <usize>bytes;
  const difference = (load<u64>(TAG) ^ load<u64>(given)) | (load<u64>(TAG, 8) ^ load<u64>(given, 8));
  return difference === 0 && (load<u64>(at) | load<u64>(at, 8)) !== 0;
}

/** Writes to `to` the `blocks` counter blocks of the blob at `at`: its IV and the numbers that follow. */
export function writeCounters(at: usize, to: usize, blocks: i32): void {
  let high = bswap<u64>(load<u64>(at));
  let low = bswap<u64>(load<u64>(at, 8));
  for (; blocks > 0; blocks--) {
    store<u64>(to, bswap<u64>(high));
    store<u64>(to, bswap<u64>(low), 8);
    low += 1;
    if (low === 0) high += 1;
    to += BLOCK;
  }
}

/** Turns the `length` bytes at `at` into plain text with the key stream at `stream`; up to seven more get changed. */
export function decrypt(at: usize, stream: usize, length: i32): void {
  for (const end = at + <usize>length; at < end; at += 8) {
    store<u64>(at, load<u64>(at) ^ load<u64>(stream));
    stream += 8;
  }
}
