/**
 * AES-256-CTR for many small blobs. The runtime takes 10 µs to set up a cipher from a plain key and 1 µs from a key
 * object; for the smallest blobs even that shows, but counter mode is nothing but the encrypted counter blocks, XORed to
 * the text, and one ECB cipher encrypts blocks for ever. From `STREAM_BYTES` up OpenSSL does it all.
 */
import { type Cipheriv, createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { endianness } from 'node:os';

const BLOCK_BYTES = 16;
const WORDS_PER_BLOCK = 4;
/** Longest text for the block cipher; measured: 1 KB take 1.9 µs this way and 2.5 the other, 8 KB 6.5 and 5.6. */
const STREAM_BYTES = 4 * 1024;
/** Small, so that there are many: the collector goes by the number of buffers, not by the memory behind them. */
const SLICE_BYTES = 4 * 1024;

/** Words of the counter blocks are numbers of this machine's byte order; all we run on are little-endian. */
const IS_LITTLE_ENDIAN = endianness() === 'LE';

/** Encrypts and decrypts, which is the same in counter mode. For one thread. */
export class KeyStream {
  readonly #key: KeyObject;
  readonly #blockCipher: Cipheriv;
  readonly #counters = new Uint32Array(STREAM_BYTES / 4);
  readonly #text = new Uint32Array(STREAM_BYTES / 4);

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#blockCipher = createCipheriv('aes-256-ecb', this.#key, null).setAutoPadding(false);
  }

  /** Writes `input` XORed with the key stream of `iv` to `output`, which has the same length. */
  apply(iv: Uint8Array, input: Uint8Array, output: Uint8Array): void {
    if (input.byteLength === 0 || this.#applyBlocks(iv, input, output)) return;
    const cipher = createCipheriv('aes-256-ctr', this.#key, iv);
    // Every call answers in new memory: little of it is used again at once, much of it is got from the system anew.
    for (let at = 0; at < input.byteLength; at += SLICE_BYTES) {
      output.set(cipher.update(input.subarray(at, at + SLICE_BYTES)), at);
    }
  }

  /** The same into a buffer of its own. */
  applied(iv: Uint8Array, input: Uint8Array): Buffer {
    if (input.byteLength > STREAM_BYTES) return createCipheriv('aes-256-ctr', this.#key, iv).update(input);
    const output = Buffer.allocUnsafe(input.byteLength);
    this.apply(iv, input, output);
    return output;
  }

  /** False: too long, or the counter would run over. */
  #applyBlocks(iv: Uint8Array, input: Uint8Array, output: Uint8Array): boolean {
    const blocks = Math.ceil(input.byteLength / BLOCK_BYTES);
    const view = new DataView(iv.buffer, iv.byteOffset, BLOCK_BYTES);
    const first = view.getUint32(12);
    if (input.byteLength > STREAM_BYTES || first + blocks > 0xffffffff || !IS_LITTLE_ENDIAN) return false;
    this.#fillCounters(view, first, blocks);
    const counterBytes = new Uint8Array(this.#counters.buffer, 0, blocks * BLOCK_BYTES);
    const stream = wordsOf(this.#blockCipher.update(counterBytes));
    const textBytes = new Uint8Array(this.#text.buffer, 0, input.byteLength);
    textBytes.set(input);
    xorWords(this.#text, stream);
    output.set(textBytes);
    return true;
  }

  #fillCounters(iv: DataView, first: number, blocks: number): void {
    const counters = this.#counters;
    const [a, b, c] = [iv.getUint32(0, true), iv.getUint32(4, true), iv.getUint32(8, true)];
    for (let block = 0, at = 0; block < blocks; block += 1, at += WORDS_PER_BLOCK) {
      counters[at] = a;
      counters[at + 1] = b;
      counters[at + 2] = c;
      counters[at + 3] = swapBytes(first + block);
    }
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function xorWords(text: Uint32Array, stream: Uint32Array): void {
  for (let index = 0; index < stream.length; index += 1) text[index] = (text[index] ?? 0) ^ (stream[index] ?? 0);
}
