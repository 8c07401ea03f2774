import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatGoTime, parseGoTime } from './go-time.ts';

const YEAR_0 = -62_167_219_200n * 10n ** 9n;
const YEAR_10000 = 253_402_300_800n * 10n ** 9n;
const ns = fc.oneof(
  fc.bigInt({ min: YEAR_0, max: YEAR_10000 - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 2n * 10n ** 9n }).map((seconds) => seconds * 10n ** 9n),
  fc.bigInt({ min: -1_000_000n, max: 1_000_000n }),
  fc.integer({ min: 0, max: 9 }).map((zeros) => 1_700_000_000_000_000_000n + 123_456_789n * 10n ** BigInt(zeros)),
);

/** The same by the runtime's own means. */
function reference(time: bigint): string {
  const nanos = ((time % 10n ** 9n) + 10n ** 9n) % 10n ** 9n;
  const second = new Date(Number((time - nanos) / 1_000_000n)).toISOString().slice(0, 19);
  const digits = nanos.toString().padStart(9, '0').replace(/0+$/, '');
  return `${second}${digits === '' ? '' : `.${digits}`}Z`;
}

describe('times', () => {
  it('are written as the runtime would, to the nanosecond, and read back', () => {
    const time = fc.property(ns, (value) => {
      expect(formatGoTime(value)).toBe(reference(value));
      expect(parseGoTime(reference(value))).toBe(value);
    });
    fc.assert(time, { numRuns: 3000 });
  });

  it.each([
    [0n, '1970-01-01T00:00:00Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [1_700_000_000_120_000_000n, '2023-11-14T22:13:20.12Z'],
    [2n ** 63n - 1n, '2262-04-11T23:47:16.854775807Z'],
    [2n ** 63n, '2262-04-11T23:47:16.854775808Z'],
    [-(2n ** 63n), '1677-09-21T00:12:43.145224192Z'],
    [-(2n ** 63n) - 1n, '1677-09-21T00:12:43.145224191Z'],
    [YEAR_0, '0000-01-01T00:00:00Z'],
    [YEAR_10000 - 1n, '9999-12-31T23:59:59.999999999Z'],
  ])('%s is %s', (value, text) => {
    expect(formatGoTime(value)).toBe(text);
    expect(parseGoTime(text)).toBe(value);
  });

  it('that Go cannot write are moved to the nearest it can', () => {
    expect(formatGoTime(YEAR_10000 * 2n + 5n)).toBe('9999-12-31T23:59:59.000000005Z');
    expect(formatGoTime(YEAR_0 * 2n)).toBe('0000-01-01T00:00:00Z');
  });

  it('are read with any offset and precision', () => {
    expect(parseGoTime('2026-03-01T01:30:00.5+02:30')).toBe(parseGoTime('2026-02-28T23:00:00.500Z'));
    expect(parseGoTime('2026-03-01T01:30:00-08:00')).toBe(parseGoTime('2026-03-01T09:30:00Z'));
    expect(parseGoTime('2026-03-01T01:30:00.1234567899Z')).toBe(parseGoTime('2026-03-01T01:30:00.123456789Z'));
    expect(parseGoTime('0001-01-01T00:00:00Z')).toBe(-62_135_596_800n * 10n ** 9n);
  });

  it.each([
    '',
    'Z',
    'yesterday',
    '2026-03-01',
    '2026-03-01T01:30:00',
    '2026-03-01T01:30Z',
    '2026-13-01T01:30:00Z',
    '2026-03-01T24:30:00Z',
    '2026-03-01T01:60:00Z',
    '2026-03-01 01:30:00Z',
    '2026-03-01T01:30:00.Z',
    '2026-03-01T01:30:00.1x3Z',
    '2026-03-01T01:30:00.12345678x9Z',
    '2026-03-01T01:30:00+0100',
    '2026-03-01T01:30:00*01:00',
    '-026-03-01T01:30:00Z',
    '٢٠٢٦-03-01T01:30:00Z',
  ])('"%s" is none', (text) => {
    expect(() => parseGoTime(text)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  });
});
