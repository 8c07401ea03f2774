import { describe, expect, it } from 'vitest';
import { CRC64_ECMA, CRC64_JONES, Crc64, type Crc64Kind } from './crc64.ts';

/** Written down for "123456789" in the catalogues of CRCs. */
const CHECKS: [string, Crc64Kind, string][] = [
  ['Jones', CRC64_JONES, 'e9c6d914c4b8d9ca'],
  ['ECMA', CRC64_ECMA, '995dc9bbdf1939fa'],
];

describe.each(CHECKS)('the CRC-64 of %s', (_name, kind, check) => {
  const crcOf = (...parts: Uint8Array[]): string => {
    const crc = new Crc64(kind);
    for (const part of parts) crc.update(part);
    return Buffer.from(crc.digest()).reverse().toString('hex');
  };

  it('is that of the catalogues', () => {
    expect(crcOf(Buffer.from('123456789'))).toBe(check);
  });

  it('is zero for nothing', () => {
    expect(crcOf()).toBe('0'.repeat(16));
  });

  it('is the same however the bytes are cut', () => {
    const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => (index * 37) & 255));
    for (let cut = 0; cut <= bytes.byteLength; cut += 1) {
      expect(crcOf(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(crcOf(bytes));
    }
  });
});
