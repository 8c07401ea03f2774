/** Poly1305 (RFC 8439, section 2.5), the authenticator of restic's sealed box, in WebAssembly. */
import { instantiateModule } from './instantiate-module.ts';
import { poly1305Code } from './poly1305-code.ts';

export interface Poly1305 {
  /**
   * Writes the tag of 16 bytes into `out`. `keyR` (16 bytes) is clamped inside, `keyS` is what gets added at the end.
   * The message may be a view on ordinary or shared memory. Comparing tags in constant time is the caller's part.
   */
  mac(keyR: Uint8Array, keyS: Uint8Array, message: Uint8Array, out: Uint8Array): void;
}

/** Where `assembly/poly1305.ts` expects things in its memory. */
const keyRAt = 0;
const keySAt = 16;
const tagAt = 32;
const bufferAt = 65_536;
/** Shared memory is copied in words where both sides begin alike within a word, otherwise byte by byte. */
const wordBytes = 8;
/** Small enough to be read from the processor's second-level cache right after it was copied. */
const bufferBytes = 65_536;

interface Poly1305Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  start(): void;
  absorb(at: number, blocks: number): void;
  finish(at: number, rest: number): void;
}

/** One instance per thread: calls must not overlap. It remembers powers of the last `keyR`, so one per key is best. */
export function createPoly1305(): Poly1305 {
  const wasm = instantiateModule<Poly1305Exports>(poly1305Code);
  const memory = new Uint8Array(wasm.memory.buffer);
  return {
    mac(keyR, keyS, message, out) {
      if (keyR.length !== 16 || keyS.length !== 16 || out.length !== 16) throw new RangeError('16 bytes are needed');
      memory.set(keyR, keyRAt);
      memory.set(keyS, keySAt);
      wasm.start();
      const copyAt = bufferAt + (message.byteOffset % wordBytes);
      let [rest, restAt] = [0, copyAt];
      for (let at = 0; at < message.length; at += bufferBytes) {
        const part = message.subarray(at, at + bufferBytes);
        memory.set(part, copyAt);
        rest = part.length % 16;
        restAt = copyAt + part.length - rest;
        wasm.absorb(copyAt, (part.length - rest) / 16);
      }
      wasm.finish(restAt, rest);
      out.set(memory.subarray(tagAt, tagAt + 16));
    },
  };
}
