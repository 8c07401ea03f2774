/**
 * The checksum of RDB files: CRC-64 with the polynomial of Jones, reflected, from zero. Eight bytes a step in two halves
 * of 32 bits, since 64-bit integers of the language are far slower.
 */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;
const SLICES = 8;

const [tableHigh, tableLow] = makeTables();

function makeTables(): [Int32Array, Int32Array] {
  const high = new Int32Array(SLICES * 256);
  const low = new Int32Array(SLICES * 256);
  for (let index = 0; index < 256; index += 1) {
    let [h, l] = [0, index];
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (isOdd) [h, l] = [h ^ POLYNOMIAL_HIGH, l ^ POLYNOMIAL_LOW];
    }
    [high[index], low[index]] = [h, l];
  }
  for (let at = 256; at < SLICES * 256; at += 1) {
    const [h, l] = [high[at - 256] as number, low[at - 256] as number];
    low[at] = ((l >>> 8) | (h << 24)) ^ (low[l & 255] as number);
    high[at] = (h >>> 8) ^ (high[l & 255] as number);
  }
  return [high, low];
}

/** A running checksum. */
export class Crc64 {
  #high = 0;
  #low = 0;

  update(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    const whole = bytes.byteLength - (bytes.byteLength % SLICES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < whole; at += SLICES) {
      const l = low ^ view.getInt32(at, true);
      const h = high ^ view.getInt32(at + 4, true);
      high = fold(tableHigh, l, 1024) ^ fold(tableHigh, h, 0);
      low = fold(tableLow, l, 1024) ^ fold(tableLow, h, 0);
    }
    for (let at = whole; at < bytes.byteLength; at += 1) {
      const index = (low ^ (bytes[at] as number)) & 255;
      low = ((low >>> 8) | (high << 24)) ^ (tableLow[index] as number);
      high = (high >>> 8) ^ (tableHigh[index] as number);
    }
    [this.#high, this.#low] = [high, low];
  }

  /** The value as eight bytes, lowest first, as it stands in the file. */
  digest(): Uint8Array {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(this.#low, 0);
    bytes.writeInt32LE(this.#high, 4);
    return bytes;
  }
}

/** What four bytes become in four steps, by the four tables from `first` on. */
function fold(table: Int32Array, word: number, first: number): number {
  return (
    (table[first + 768 + (word & 255)] as number) ^
    (table[first + 512 + ((word >>> 8) & 255)] as number) ^
    (table[first + 256 + ((word >>> 16) & 255)] as number) ^
    (table[first + (word >>> 24)] as number)
  );
}
