/**
 * Reads an RDB file as it streams by, in bounded memory: the head, every opcode, the shape of every value, the end mark
 * and the checksum over all of it; and counts the keys of each database. A file with a kind of value that is newer than
 * this program is checked by its head, end mark and checksum alone.
 */
import { CRC64_JONES, Crc64 } from '../../ports/crc64.ts';
import { RdbError, RdbParser } from './rdb-parser.ts';

export interface RdbSummary {
  readonly version: number;
  /** Version of the server that wrote it, as it says. */
  readonly server: string;
  /** Keys per database, expired ones among them; null: it holds something unknown, so they could not be counted. */
  readonly keys: ReadonlyMap<number, number> | null;
  readonly expiring: number;
  readonly functions: number;
  /** False: the server is set not to write one. */
  readonly hasChecksum: boolean;
  readonly bytes: number;
}

const END = 0xff;
const TRAILER_BYTES = 8;

/** See above. `push` every chunk, then `finish`. */
export class RdbScanner {
  readonly #crc = new Crc64(CRC64_JONES);
  readonly #parser = new RdbParser();
  /** The last bytes so far, not in the checksum yet: the checksum itself once all has come. */
  #held: Uint8Array = new Uint8Array(0);
  #beforeHeld = -1;
  #bytes = 0;

  /** Throws RdbError. */
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    this.#parser.push(chunk);
    const hold = (all: Uint8Array) => {
      const cut = Math.max(0, all.byteLength - TRAILER_BYTES);
      this.#crc.update(all.subarray(0, cut));
      if (cut > 0) this.#beforeHeld = all[cut - 1] as number;
      this.#held = new Uint8Array(all.subarray(cut));
    };
    if (chunk.byteLength <= TRAILER_BYTES) hold(Buffer.concat([this.#held, chunk]));
    else {
      this.#crc.update(this.#held);
      hold(chunk);
    }
  }

  /** Throws RdbError when it is not whole. */
  finish(): RdbSummary {
    const { facts } = this.#parser;
    this.#parser.finish();
    if (this.#beforeHeld !== END) throw new RdbError('its end is missing');
    const hasChecksum = this.#held.some((byte) => byte !== 0);
    if (hasChecksum && Buffer.compare(this.#held, this.#crc.digest()) !== 0) {
      throw new RdbError('its checksum is wrong');
    }
    return { ...facts, hasChecksum, bytes: this.#bytes };
  }
}

/** Passes a dump on while it is checked. Ends only when it is whole; otherwise throws what `failure` makes of it. */
export async function* scanned(
  dump: AsyncIterable<Uint8Array>,
  hooks: { readonly onSummary: (summary: RdbSummary) => void; readonly failure: (error: RdbError) => Error },
): AsyncGenerator<Uint8Array> {
  const scanner = new RdbScanner();
  const check = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw error instanceof RdbError ? hooks.failure(error) : error;
    }
  };
  for await (const chunk of dump) {
    check(() => scanner.push(chunk));
    yield chunk;
  }
  hooks.onSummary(check(() => scanner.finish()));
}
