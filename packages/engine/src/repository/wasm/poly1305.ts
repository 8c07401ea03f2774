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
/** Small enough to be read from the processor's second-level cache right after it was copied. */
const bufferBytes = 65_536;

interface Poly1305Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  start(): void;
  absorb(blocks: number): void;
  finish(rest: number): void;
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
      const rest = message.length % 16;
      const whole = message.length - rest;
      for (let at = 0; at < whole; at += bufferBytes) {
        const end = Math.min(at + bufferBytes, whole);
        memory.set(message.subarray(at, end), bufferAt);
        wasm.absorb((end - at) / 16);
      }
      memory.set(message.subarray(whole), bufferAt);
      wasm.finish(rest);
      out.set(memory.subarray(tagAt, tagAt + 16));
    },
  };
}
