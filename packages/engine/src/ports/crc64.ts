/**
 * CRC-64 of reflected bits. Eight bytes a step in two halves of 32 bits, since 64-bit integers of the language are far
 * slower.
 */
const SLICES = 8;

interface Tables {
  readonly high: Int32Array;
  readonly low: Int32Array;
}

/** One of the kinds there are. */
export interface Crc64Kind {
  readonly polynomial: readonly [high: number, low: number];
  /** True: the register begins with ones and is inverted at the end. */
  readonly isInverted: boolean;
}

/** Of Redis' RDB files. */
export const CRC64_JONES: Crc64Kind = { polynomial: [0x95ac9329, 0xac4bc9b5], isInverted: false };
/** Of xz files and of mongodump's archives. */
export const CRC64_ECMA: Crc64Kind = { polynomial: [0xc96c5795, 0xd7870f42], isInverted: true };

const tablesByKind = new Map<Crc64Kind, Tables>();

function tablesOf(kind: Crc64Kind): Tables {
  const tables = tablesByKind.get(kind) ?? makeTables(kind.polynomial);
  tablesByKind.set(kind, tables);
  return tables;
}

function makeTables([polynomialHigh, polynomialLow]: Crc64Kind['polynomial']): Tables {
  const high = new Int32Array(SLICES * 256);
  const low = new Int32Array(SLICES * 256);
  for (let index = 0; index < 256; index += 1) {
    let [h, l] = [0, index];
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (isOdd) [h, l] = [h ^ polynomialHigh, l ^ polynomialLow];
    }
    [high[index], low[index]] = [h, l];
  }
  for (let at = 256; at < SLICES * 256; at += 1) {
    const [h, l] = [high[at - 256] as number, low[at - 256] as number];
    low[at] = ((l >>> 8) | (h << 24)) ^ (low[l & 255] as number);
    high[at] = (h >>> 8) ^ (high[l & 255] as number);
  }
  return { high, low };
}

/** A running checksum. */
export class Crc64 {
  readonly #tables: Tables;
  readonly #inverted: number;
  #high: number;
  #low: number;

  constructor(kind: Crc64Kind) {
    this.#tables = tablesOf(kind);
    this.#inverted = kind.isInverted ? -1 : 0;
    [this.#high, this.#low] = [this.#inverted, this.#inverted];
  }

  update(bytes: Uint8Array): void {
    const { high: tableHigh, low: tableLow } = this.#tables;
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

  /** The value as eight bytes, lowest first. */
  digest(): Uint8Array {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(this.#low ^ this.#inverted, 0);
    bytes.writeInt32LE(this.#high ^ this.#inverted, 4);
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
