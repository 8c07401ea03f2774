/** The structure of an RDB file, read in steps from whatever chunks it comes in; see `rdb-values.ts` for values. */
import type { RdbSummary } from './rdb-scanner.ts';
import { moduleData, type RdbCursor, type RdbStep, valueSteps } from './rdb-values.ts';

/** What is wrong with a file, in words. */
export class RdbError extends Error {}

interface Frame {
  readonly steps: readonly RdbStep[];
  index: number;
  left: number;
}

const OPCODE = {
  slotInfo: 244,
  function: 245,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  sizes: 251,
  expiresMs: 252,
  expiresS: 253,
  select: 254,
  end: 255,
} as const;

/** What follows opcodes that say nothing about what is in the file. */
const LENGTHS_AFTER: Readonly<Record<number, number>> = { [OPCODE.idle]: 1, [OPCODE.sizes]: 2, [OPCODE.slotInfo]: 3 };
const BYTES_AFTER: Readonly<Record<number, number>> = {
  [OPCODE.frequency]: 1,
  [OPCODE.expiresS]: 4,
  [OPCODE.expiresMs]: 8,
};

const MAGIC = /^(REDIS(\d{4})|VALKEY(\d{3}))$/;
const MAGIC_BYTES = 9;
/** Older ones have no checksum. Of the year 2012. */
const OLDEST_VERSION = 5;
const TRAILER_BYTES = 8;
const MAX_AUX_BYTES = 4096;

/** Ends a step whose head is not all there yet. */
const needMore = new Error('more bytes are needed');
/** Ends a step at something newer than this program. */
const isNewer = new Error('newer than this program');

/** Takes chunks; `facts` are final after `finish`. Both throw RdbError. */
export class RdbParser implements RdbCursor {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bytes still to be passed over. */
  #skipping = 0;
  readonly #frames: Frame[] = [];
  #values: ReturnType<typeof valueSteps> = {};
  #state: 'head' | 'body' | 'trailer' | 'unknown' = 'head';
  #trailing = 0;

  #version = 0;
  #server = '';
  #auxName = '';
  #database = 0;
  readonly #keys = new Map<number, number>();
  #expiring = 0;
  #functions = 0;

  get facts(): Omit<RdbSummary, 'hasChecksum' | 'bytes'> {
    const keys = this.#state === 'unknown' ? null : this.#keys;
    const [version, server, expiring, functions] = [this.#version, this.#server, this.#expiring, this.#functions];
    return { version, server, expiring, functions, keys };
  }

  push(chunk: Uint8Array): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
    while (this.#state !== 'unknown' && this.#advance()) {
      // One step after the other, as far as the bytes reach.
    }
    // What stays must not keep the memory of the chunk, which may be used again.
    this.#bytes = this.#state === 'unknown' ? new Uint8Array(0) : new Uint8Array(this.#bytes.subarray(this.#at));
    this.#at = 0;
  }

  finish(): void {
    if (this.#state === 'unknown') return;
    if (this.#state === 'head') throw new RdbError('it is too short to be a dump');
    if (this.#state === 'body' || this.#trailing < TRAILER_BYTES) throw new RdbError('it ends in the middle');
  }

  // --- what steps use ---

  byte(): number {
    this.#need(1);
    const value = this.#bytes[this.#at] as number;
    this.#at += 1;
    return value;
  }

  length(): number {
    const { value, isEncoding } = this.#lengthOrEncoding();
    if (isEncoding) throw new RdbError('a length has the form of a string');
    return value;
  }

  skip(count: number): void {
    const now = Math.min(count, this.#bytes.byteLength - this.#at);
    this.#at += now;
    this.#skipping = count - now;
  }

  skipString(): void {
    const { value, isEncoding } = this.#lengthOrEncoding();
    this.skip(isEncoding ? this.#encodedBytes(value) : value);
  }

  repeat(steps: readonly RdbStep[], times: number): void {
    if (times > 0) this.#frames.push({ steps, index: 0, left: times });
  }

  // --- how they are taken ---

  /** False when the bytes at hand are used up. */
  #advance(): boolean {
    if (this.#skipping > 0) this.skip(this.#skipping);
    const available = this.#bytes.byteLength - this.#at;
    if (available === 0 || this.#skipping > 0) return false;
    if (this.#state === 'trailer') {
      this.#trailing += available;
      this.#at += available;
      if (this.#trailing > TRAILER_BYTES) throw new RdbError('something follows its end');
      return false;
    }
    const [at, depth] = [this.#at, this.#frames.length];
    try {
      this.#step();
      return true;
    } catch (error) {
      if (error === isNewer) this.#state = 'unknown';
      else if (error !== needMore) throw error;
      this.#at = at;
      this.#frames.length = depth;
      return false;
    }
  }

  #step(): void {
    const frame = this.#frames.at(-1);
    if (!frame) {
      if (this.#state === 'head') this.#readHead();
      else this.#readOpcode();
      return;
    }
    const step = frame.steps[frame.index] as RdbStep;
    const depth = this.#frames.length;
    const isEnd = step(this) === 'end';
    frame.index = (frame.index + 1) % frame.steps.length;
    if (frame.index === 0) frame.left -= 1;
    if (!isEnd && frame.left > 0) return;
    // What it asked for comes first, and is above it.
    if (this.#frames.length === depth) this.#frames.pop();
    else this.#frames.splice(depth - 1, 1);
  }

  #readHead(): void {
    this.#need(MAGIC_BYTES);
    const magic = Buffer.from(this.#bytes.subarray(this.#at, this.#at + MAGIC_BYTES)).toString('latin1');
    this.#at += MAGIC_BYTES;
    const match = MAGIC.exec(magic);
    if (!match) throw new RdbError('it is no dump of Redis');
    this.#version = Number(match[2] ?? match[3]);
    if (this.#version < OLDEST_VERSION) throw new RdbError(`its version ${this.#version} is too old`);
    this.#values = valueSteps(match[2] === undefined ? 'valkey' : 'redis');
    this.#state = 'body';
  }

  #readOpcode(): void {
    const code = this.byte();
    switch (code) {
      case OPCODE.end:
        this.#state = 'trailer';
        return;
      case OPCODE.select:
        this.#database = this.length();
        return;
      case OPCODE.aux:
        this.repeat([this.#readAuxName, this.#readAuxValue], 1);
        return;
      case OPCODE.function:
        this.skipString();
        this.#functions += 1;
        return;
      default:
        if (!this.#skipOpcode(code)) this.#readKey(code);
    }
  }

  /** Those that say nothing about what is in it. False: it is none of them. */
  #skipOpcode(code: number): boolean {
    const lengthCount = LENGTHS_AFTER[code];
    const byteCount = BYTES_AFTER[code];
    if (code === OPCODE.moduleAux) moduleData(this);
    else if (lengthCount !== undefined) for (let index = 0; index < lengthCount; index += 1) this.length();
    else if (byteCount === undefined) return false;
    else {
      this.skip(byteCount);
      if (code !== OPCODE.frequency) this.#expiring += 1;
    }
    return true;
  }

  #readKey(type: number): void {
    const steps = this.#values[type];
    if (!steps) throw isNewer;
    this.skipString();
    this.repeat(steps, 1);
    this.#keys.set(this.#database, (this.#keys.get(this.#database) ?? 0) + 1);
  }

  readonly #readAuxName: RdbStep = () => {
    this.#auxName = this.#shortText();
    return undefined;
  };

  readonly #readAuxValue: RdbStep = () => {
    const value = this.#shortText();
    if (this.#auxName === 'redis-ver') this.#server = `Redis ${value}`;
    if (this.#auxName === 'valkey-ver') this.#server = `Valkey ${value}`;
    return undefined;
  };

  /** A string if it is short and plain, else nothing of it. */
  #shortText(): string {
    const { value, isEncoding } = this.#lengthOrEncoding();
    if (isEncoding || value > MAX_AUX_BYTES) {
      this.skip(isEncoding ? this.#encodedBytes(value) : value);
      return '';
    }
    this.#need(value);
    const text = Buffer.from(this.#bytes.subarray(this.#at, this.#at + value)).toString('utf8');
    this.#at += value;
    return text;
  }

  /** Two bits say how long the length is; `11`: the six others say how the string is encoded. */
  #lengthOrEncoding(): { value: number; isEncoding: boolean } {
    const first = this.byte();
    const [kind, low] = [first >> 6, first & 63];
    if (kind === 0) return { value: low, isEncoding: false };
    if (kind === 1) return { value: (low << 8) | this.byte(), isEncoding: false };
    if (kind === 3) return { value: low, isEncoding: true };
    const count = first === 0x80 ? 4 : 8;
    if (first !== 0x80 && first !== 0x81) throw new RdbError('a length is not of any known form');
    this.#need(count);
    let value = 0;
    for (let index = 0; index < count; index += 1) value = value * 256 + this.byte();
    return { value, isEncoding: false };
  }

  /** Bytes after the head: of numbers, and of compressed strings. */
  #encodedBytes(encoding: number): number {
    if (encoding < 3) return 1 << encoding;
    if (encoding !== 3) throw new RdbError('a string has an unknown encoding');
    const compressed = this.length();
    this.length();
    return compressed;
  }

  #need(count: number): void {
    if (this.#bytes.byteLength - this.#at < count) throw needMore;
  }
}
