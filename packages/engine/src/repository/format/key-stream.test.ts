import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyStream } from './key-stream.ts';

const key = randomBytes(32);

function reference(iv: Uint8Array, input: Uint8Array): Buffer {
  return createCipheriv('aes-256-ctr', key, iv).update(input);
}

function bothWays(iv: Uint8Array, input: Uint8Array): void {
  const stream = new KeyStream(key);
  const output = Buffer.alloc(input.byteLength + 3);
  stream.apply(iv, input, output.subarray(1, 1 + input.byteLength));
  const expected = reference(iv, input);
  expect(output.subarray(1, -2).equals(expected)).toBe(true);
  expect([output[0], output.at(-2), output.at(-1)]).toEqual([0, 0, 0]);
  expect(stream.applied(iv, input).equals(expected)).toBe(true);
}

describe('key stream', () => {
  it('is that of AES-256-CTR for texts of any length', () => {
    const iv = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(fc.property(iv, fc.uint8Array({ maxLength: 500 }), bothWays));
    for (const length of [15, 16, 17, 4096, 16_383, 16_384, 16_385, 100_000])
      bothWays(randomBytes(16), randomBytes(length));
  });

  it('also where the counter runs over', () => {
    const ones = Buffer.alloc(16, 0xff);
    bothWays(ones, randomBytes(100));
    bothWays(Buffer.concat([randomBytes(12), ones.subarray(0, 4)]), randomBytes(100));
    bothWays(Buffer.from('000102030405060708090a0bfffffffa', 'hex'), randomBytes(100));
    bothWays(Buffer.from('000102030405060708090a0bfffffff0', 'hex'), randomBytes(100));
  });

  it('reads from and writes to shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(1000));
    shared.set(randomBytes(500));
    const iv = randomBytes(16);
    const expected = reference(iv, Uint8Array.from(shared.subarray(0, 301)));
    new KeyStream(key).apply(iv, shared.subarray(0, 301), shared.subarray(501, 802));
    expect(Buffer.from(shared.subarray(501, 802)).equals(expected)).toBe(true);
  });
});
