/** Where `repository/wasm/chunker.ts` puts its tables in the first page, and what is scratch space there. */

/** 256 words: b · x^53 mod P, plus the bits of b above that it cancels. */
export const MOD_TABLE: usize = 0;
/** 256 words: what the byte b still adds to a fingerprint after 63 further ones, b · x^504 mod P. */
export const OUT_TABLE: usize = 2048;
/**
 * For each of the seven bytes of a state shifted left by 3 four vectors of 16 bytes: h · x^53, 16 h · x^53, h · x^512 and
 * 16 h · x^512, each modulo P, for a half byte h.
 */
export const NIBBLE_TABLES: usize = 4096;
/** The last 80 steps of bytes, 16 lanes each. */
export const RING: usize = 4608;
export const RING_BYTES: usize = 1280;
