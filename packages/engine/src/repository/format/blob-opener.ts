/**
 * Opens small sealed boxes many at a time. One by one the runtime takes longer to be called than to decrypt them: here
 * it is called twice for all of them, once for their one-time keys and once for their key stream; the rest is done in
 * WebAssembly. See `sealed-box.ts` for the format.
 */
import { type Cipheriv, createCipheriv } from 'node:crypto';
import { instantiateModule } from '../wasm/instantiate-module.ts';
import { openBlobsCode } from '../wasm/open-blobs-code.ts';
import type { MasterKey } from './master-key.ts';
import { SEAL_OVERHEAD } from './sealed-box.ts';

/** Larger boxes are better opened one by one. */
export const MAX_BATCHED_BYTES = 32 * 1024;

const BLOCK_BYTES = 16;
const WORD_BYTES = 8;
/** Where `assembly/open-blobs.ts` expects things in its memory. */
const IVS_AT = 4096;
const KEYS_AT = 8192;
const BOXES_AT = 65_536;
const STREAM_AT = 196_608;
/** Of all boxes together; what belongs to them stays in the processor's second-level cache. */
const BATCH_BYTES = 65_536;
const BATCH_BOXES = 256;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  noteIv(at: number, number: number): void;
  isAuthentic(at: number, length: number, number: number): number;
  writeCounters(at: number, to: number, blocks: number): void;
  decrypt(at: number, stream: number, length: number): void;
}

/** Gathers boxes and opens them together. For one thread. */
export class BlobOpener {
  readonly #wasm = instantiateModule<Exports>(openBlobsCode);
  readonly #memory = new Uint8Array(this.#wasm.memory.buffer);
  /** ECB has no state between blocks, so one cipher serves for ever. */
  readonly #nonceCipher: Cipheriv;
  readonly #blockCipher: Cipheriv;
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  #sealedBytes = 0;
  #nextAt = BOXES_AT;

  constructor({ encrypt, macK, macR }: MasterKey) {
    this.#memory.set(macR, 0);
    this.#nonceCipher = createCipheriv('aes-128-ecb', macK, null).setAutoPadding(false);
    this.#blockCipher = createCipheriv('aes-256-ecb', encrypt, null).setAutoPadding(false);
  }

  /** Copies a box of at most `MAX_BATCHED_BYTES`; false when those that are gathered must be opened first. */
  add(sealed: Uint8Array): boolean {
    const length = sealed.byteLength;
    if (this.#sealedBytes + length > BATCH_BYTES || this.#starts.length === BATCH_BOXES) return false;
    // Shared memory is copied in words where both sides begin alike within a word, otherwise byte by byte.
    const at = this.#nextAt + ((sealed.byteOffset - this.#nextAt) & (WORD_BYTES - 1));
    this.#memory.set(sealed, at);
    this.#starts.push(at);
    this.#lengths.push(length);
    this.#sealedBytes += length;
    this.#nextAt = at + length;
    return true;
  }

  /** Opens what was gathered, in its order: the content, valid during the call, or null when a box is damaged. */
  openAll(onOpened: (content: Uint8Array | null) => void): void {
    const count = this.#starts.length;
    if (count === 0) return;
    this.#makeKeys(count);
    const isAuthentic = this.#authenticate();
    for (let number = 0, streamAt = STREAM_AT; number < count; number += 1) {
      if (isAuthentic[number] !== 1) {
        onOpened(null);
        continue;
      }
      const bodyAt = (this.#starts[number] ?? 0) + BLOCK_BYTES;
      const bytes = (this.#lengths[number] ?? 0) - SEAL_OVERHEAD;
      this.#wasm.decrypt(bodyAt, streamAt, bytes);
      streamAt += blocksIn(bytes) * BLOCK_BYTES;
      onOpened(this.#memory.subarray(bodyAt, bodyAt + bytes));
    }
    this.#starts.length = 0;
    this.#lengths.length = 0;
    this.#sealedBytes = 0;
    this.#nextAt = BOXES_AT;
  }

  #makeKeys(count: number): void {
    for (let number = 0; number < count; number += 1) this.#wasm.noteIv(this.#starts[number] ?? 0, number);
    const ivs = this.#memory.subarray(IVS_AT, IVS_AT + count * BLOCK_BYTES);
    this.#memory.set(this.#nonceCipher.update(ivs), KEYS_AT);
  }

  /** Answers 1 for each authentic box; their key streams stand one behind the other then. */
  #authenticate(): Uint8Array {
    const isAuthentic = new Uint8Array(this.#starts.length);
    let to = STREAM_AT;
    for (let number = 0; number < isAuthentic.length; number += 1) {
      const at = this.#starts[number] ?? 0;
      const length = this.#lengths[number] ?? 0;
      if (length < SEAL_OVERHEAD || this.#wasm.isAuthentic(at, length, number) === 0) continue;
      isAuthentic[number] = 1;
      const blocks = blocksIn(length - SEAL_OVERHEAD);
      this.#wasm.writeCounters(at, to, blocks);
      to += blocks * BLOCK_BYTES;
    }
    if (to > STREAM_AT) this.#memory.set(this.#blockCipher.update(this.#memory.subarray(STREAM_AT, to)), STREAM_AT);
    return isAuthentic;
  }
}

function blocksIn(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}
