import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPoly1305 } from './poly1305.ts';

const p = 2n ** 130n - 5n;
const clampMask = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

/** The definition of RFC 8439, section 2.5, word by word. */
function plainMac(keyR: Uint8Array, keyS: Uint8Array, message: Uint8Array): string {
  const r = toNumber(keyR) & clampMask;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + toNumber(block) + 2n ** BigInt(8 * block.length)) * r) % p;
  }
  let tag = sum + toNumber(keyS);
  let hex = '';
  for (let i = 0; i < 16; i++) {
    hex += (tag & 0xffn).toString(16).padStart(2, '0');
    tag >>= 8n;
  }
  return hex;
}

const poly1305 = createPoly1305();

function mac(keyR: Uint8Array, keyS: Uint8Array, message: Uint8Array): string {
  const out = Buffer.alloc(16);
  poly1305.mac(keyR, keyS, message, out);
  return out.toString('hex');
}

function macOfKey(key: string, message: Uint8Array): string {
  const bytes = Buffer.from(key, 'hex');
  return mac(bytes.subarray(0, 16), bytes.subarray(16), message);
}

const ietf = Buffer.from(
  'Any submission to the IETF intended by the Contributor for publication as all or part of an IETF Internet-Draft or RFC and any statement made within the context of an IETF activity is considered an "IETF Contribution". Such statements include oral statements in IETF sessions, as well as written and electronic communications made at any time or place, which are addressed to',
);
const jabberwocky = Buffer.from(
  "'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\nAll mimsy were the borogoves,\nAnd the mome raths outgrabe.",
);
const ff16 = 'ff'.repeat(16);
const zero16 = '00'.repeat(16);

describe('the vectors of RFC 8439', () => {
  const vectors: readonly { name: string; key: string; message: Uint8Array | string; tag: string }[] = [
    {
      name: 'section 2.5.2',
      key: '85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b',
      message: Buffer.from('Cryptographic Forum Research Group'),
      tag: 'a8061dc1305136c6c22b8baf0c0127a9',
    },
    { name: 'A.3 #1', key: zero16 + zero16, message: '00'.repeat(64), tag: zero16 },
    {
      name: 'A.3 #2',
      key: `${zero16}36e5f6b5c5e06070f0efca96227a863e`,
      message: ietf,
      tag: '36e5f6b5c5e06070f0efca96227a863e',
    },
    {
      name: 'A.3 #3',
      key: `36e5f6b5c5e06070f0efca96227a863e${zero16}`,
      message: ietf,
      tag: 'f3477e7cd95417af89a6b8794c310cf0',
    },
    {
      name: 'A.3 #4',
      key: '1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0',
      message: jabberwocky,
      tag: '4541669a7eaaee61e708dc7cbcc5eb62',
    },
    { name: 'A.3 #5', key: `02${'00'.repeat(31)}`, message: ff16, tag: `03${'00'.repeat(15)}` },
    {
      name: 'A.3 #6',
      key: `02${'00'.repeat(15)}${ff16}`,
      message: `02${'00'.repeat(15)}`,
      tag: `03${'00'.repeat(15)}`,
    },
    {
      name: 'A.3 #7',
      key: `01${'00'.repeat(31)}`,
      message: `${ff16}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`,
      tag: `05${'00'.repeat(15)}`,
    },
    {
      name: 'A.3 #8',
      key: `01${'00'.repeat(31)}`,
      message: `${ff16}fb${'fe'.repeat(15)}${'01'.repeat(16)}`,
      tag: zero16,
    },
    { name: 'A.3 #9', key: `02${'00'.repeat(31)}`, message: `fd${'ff'.repeat(15)}`, tag: `fa${'ff'.repeat(15)}` },
    {
      name: 'A.3 #10',
      key: `01${'00'.repeat(7)}04${'00'.repeat(23)}`,
      message: `e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001${'00'.repeat(15)}`,
      tag: '14000000000000005500000000000000',
    },
    {
      name: 'A.3 #11',
      key: `01${'00'.repeat(7)}04${'00'.repeat(23)}`,
      message: 'e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000',
      tag: '13000000000000000000000000000000',
    },
  ];
  for (const { name, key, message, tag } of vectors) {
    it(name, () => {
      expect(macOfKey(key, typeof message === 'string' ? Buffer.from(message, 'hex') : message)).toBe(tag);
    });
  }
});

describe('against the definition', () => {
  const edgeBytes = fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xfb, 0xfc, 0xfe, 0xff);
  const key16 = fc.oneof(
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(edgeBytes, { minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.from(bytes)),
    fc.constant(new Uint8Array(16).fill(0xff)),
    fc.constant(new Uint8Array(16)),
    // With r = 1 and r = 2 sums come close to the limits of the limbs.
    fc.constantFrom(1, 2).map((byte) => Uint8Array.of(byte, ...new Uint8Array(15))),
  );

  it('agrees for every length up to 1100 with all bits set', () => {
    const ones = new Uint8Array(1100).fill(0xff);
    const key = ones.subarray(0, 16);
    for (let length = 0; length <= ones.length; length++) {
      const message = ones.subarray(0, length);
      expect(mac(key, key, message), `length ${length}`).toBe(plainMac(key, key, message));
    }
  });

  it('agrees for any key and message', () => {
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.array(edgeBytes, { maxLength: 2100 }).map((bytes) => Uint8Array.from(bytes)),
      fc.uint8Array({ minLength: 400, maxLength: 5000 }),
    );
    fc.assert(
      fc.property(key16, key16, message, (keyR, keyS, bytes) => {
        expect(mac(keyR, keyS, bytes)).toBe(plainMac(keyR, keyS, bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('agrees where sums are just below and above the modulus', () => {
    const zeros = new Uint8Array(16);
    for (const byte of [1, 2]) {
      const keyR = Uint8Array.of(byte, ...zeros.subarray(1));
      for (let blocks = 1; blocks <= 140; blocks++) {
        for (const low of [0xf8, 0xfa, 0xfb, 0xfc, 0xfd, 0xff, 0x00, 0x05]) {
          const message = new Uint8Array(16 * blocks).fill(0xff);
          message[16 * blocks - 16] = low;
          expect(mac(keyR, zeros, message), `r ${byte}, ${blocks} blocks, ${low}`).toBe(plainMac(keyR, zeros, message));
        }
      }
    }
  });

  it('agrees for messages of several copies, on shared memory and at odd places', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(300_000));
    for (let i = 0; i < shared.length; i++) shared[i] = (i * i) >> 7;
    const key = shared.subarray(17, 33);
    for (const [start, length] of [
      [1, 65_535],
      [0, 65_536],
      [3, 65_537],
      [5, 131_072],
      [7, 131_072 + 16],
      [9, 299_990],
    ] as const) {
      const message = shared.subarray(start, start + length);
      expect(mac(key, key, message), `${length} bytes at ${start}`).toBe(plainMac(key, key, message));
    }
  });

  it('does not mix up keys that follow each other', () => {
    const message = new Uint8Array(4096).map((_, i) => i % 251);
    const keys = [1, 2, 1, 0, 255].map((byte) => new Uint8Array(16).fill(byte));
    for (const key of keys) expect(mac(key, key, message)).toBe(plainMac(key, key, message));
  });
});

it('refuses keys of a wrong length', () => {
  const ok = new Uint8Array(16);
  expect(() => poly1305.mac(new Uint8Array(15), ok, ok, new Uint8Array(16))).toThrow(RangeError);
  expect(() => poly1305.mac(ok, new Uint8Array(32), ok, new Uint8Array(16))).toThrow(RangeError);
});
