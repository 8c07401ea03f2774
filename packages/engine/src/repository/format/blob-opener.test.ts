import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPoly1305 } from '../wasm/poly1305.ts';
import { BlobOpener, MAX_BATCHED_BYTES } from './blob-opener.ts';
import { createMasterKey } from './master-key.ts';
import { createSealedBox } from './sealed-box.ts';

const key = createMasterKey();
const box = createSealedBox(key);

function openAll(boxes: readonly Uint8Array[], opener = new BlobOpener(key)): (Buffer | null)[] {
  const opened: (Buffer | null)[] = [];
  const flush = () => opener.openAll((content) => opened.push(content && Buffer.from(content)));
  for (const sealed of boxes) {
    if (opener.add(sealed)) continue;
    flush();
    expect(opener.add(sealed)).toBe(true);
  }
  flush();
  return opened;
}

/** Puts boxes into shared memory, with every distance from the beginning of a word. */
function share(boxes: readonly Uint8Array[]): Uint8Array[] {
  return boxes.map((sealed, number) => {
    const memory = new Uint8Array(new SharedArrayBuffer(sealed.byteLength + 8), number % 8, sealed.byteLength);
    memory.set(sealed);
    return memory;
  });
}

/** A box with an IV of one's own. */
function sealWith(iv: Uint8Array, plain: Uint8Array): Buffer {
  const body = createCipheriv('aes-256-ctr', key.encrypt, iv).update(plain);
  const oneTimeKey = createCipheriv('aes-128-ecb', key.macK, null).setAutoPadding(false).update(iv);
  const tag = Buffer.alloc(16);
  createPoly1305().mac(key.macR, oneTimeKey, body, tag);
  return Buffer.concat([iv, body, tag]);
}

describe('a blob opener', () => {
  it('opens boxes of every length, wherever they lie in shared memory', () => {
    const lengths = [...Array(70).keys(), 511, 512, 513, 4095, 4096, 20_000, MAX_BATCHED_BYTES - 32];
    const plains = [...lengths, ...lengths.toReversed(), ...lengths].map((length) => randomBytes(length));
    expect(openAll(share(plains.map((plain) => box.seal(plain))))).toEqual(plains);
  });

  it('opens more boxes than it can gather', () => {
    const plains = Array.from({ length: 1000 }, (_, number) => Buffer.from(`blob ${number}`));
    expect(openAll(plains.map((plain) => box.seal(plain)))).toEqual(plains);
  });

  it('opens the same as the sealed box when the counter runs over', () => {
    const plain = randomBytes(100);
    for (const iv of ['ff'.repeat(16), `00${'ff'.repeat(15)}`, `${'0a'.repeat(8)}${'ff'.repeat(7)}fe`]) {
      const sealed = sealWith(Buffer.from(iv, 'hex'), plain);
      expect(box.open(sealed)).toEqual(plain);
      expect(openAll([sealed])).toEqual([plain]);
    }
  });

  it('refuses every box with a changed bit, and opens those around it', () => {
    const plains = [randomBytes(37), randomBytes(21), randomBytes(40)];
    const [before, middle, after] = plains.map((plain) => box.seal(plain));
    if (!before || !middle || !after) throw new Error('three boxes');
    const opener = new BlobOpener(key);
    for (let bit = 0; bit < middle.byteLength * 8; bit += 1) {
      const damaged = Buffer.from(middle);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(openAll([before, damaged, after], opener)).toEqual([plains[0], null, plains[2]]);
    }
  });

  it('refuses what is too short and an IV of zeros', () => {
    const plain = randomBytes(50);
    const unset = sealWith(Buffer.alloc(16), plain);
    const boxes = [Buffer.alloc(0), unset, box.seal(plain), unset.subarray(0, 31), box.seal(plain).subarray(0, -1)];
    expect(openAll(boxes)).toEqual([null, null, plain, null, null]);
  });
});
