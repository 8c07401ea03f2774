/** Where `assembly/chunker-memory.ts` says that the tables are. */
const modTableAt = 0;
const outTableAt = 2048;
const nibbleTablesAt = 4096;

/** Bytes in the window of a fingerprint. */
const window = 64n;
const degree = 53n;

/** Computes the chunker's tables for a polynomial and puts them at the beginning of its memory. */
export function writeChunkerTables(memory: SharedArrayBuffer, polynomial: bigint): void {
  const view = new DataView(memory);
  const mod = multiplesOf(degree, polynomial);
  const out = multiplesOf(8n * (window - 1n), polynomial);
  for (let byte = 0; byte < 256; byte++) {
    // The upper part takes away the bits of the byte that were shifted out at the top.
    view.setBigUint64(modTableAt + 8 * byte, mod(byte) | (BigInt(byte) << degree), true);
    view.setBigUint64(outTableAt + 8 * byte, out(byte), true);
  }
  const left = multiplesOf(8n * window, polynomial);
  for (let half = 0; half < 16; half++) {
    const entries = [mod(half), mod(16 * half), left(half), left(16 * half)];
    for (const [index, entry] of entries.entries()) {
      const shifted = entry << 3n;
      for (let k = 0; k < 7; k++) {
        view.setUint8(nibbleTablesAt + 64 * k + 16 * index + half, Number((shifted >> BigInt(8 * k)) & 0xffn));
      }
    }
  }
}

/** Answers b · x^power mod P for bytes b. */
function multiplesOf(power: bigint, polynomial: bigint): (byte: number) => bigint {
  const bits: bigint[] = [];
  let value = 1n;
  for (let exponent = 0n; exponent < power + 8n; exponent++) {
    if (exponent >= power) bits.push(value);
    value <<= 1n;
    if (value >> degree === 1n) value ^= polynomial;
  }
  return (byte) => bits.reduce((sum, bit, index) => ((byte >> index) & 1 ? sum ^ bit : sum), 0n);
}
