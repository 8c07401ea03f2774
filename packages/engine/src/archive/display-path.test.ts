import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayPath, parseDisplayPath } from './display-path.ts';

describe('displayPath', () => {
  it('shows UTF-8 as it is and other bytes as hex', () => {
    expect(displayPath(Buffer.from('/srv/Bücher/文'))).toBe('/srv/Bücher/文');
    expect(displayPath(Buffer.from([0x2f, 0x61, 0xff, 0x62, 0xc3]))).toBe('/a\\xffb\\xc3');
    expect(displayPath(Buffer.from([0xc3, 0xa4, 0xc3, 0x28]))).toBe('ä\\xc3(');
  });

  it('escapes a backslash only where it would be taken for an escape', () => {
    expect(displayPath(Buffer.from('a\\x41'))).toBe('a\\x5cx41');
    expect(displayPath(Buffer.from('a\\b\\xzz'))).toBe('a\\b\\xzz');
  });

  it('leads back to the same bytes, whatever they are', () => {
    const bytes = fc.array(
      fc.oneof(fc.constantFrom(0x5c, 0x78, 0x34, 0x66, 0xc3, 0xa4), fc.integer({ min: 0, max: 255 })),
    );
    fc.assert(
      fc.property(bytes, (list) => {
        const path = Uint8Array.from(list);
        expect(Buffer.from(parseDisplayPath(displayPath(path)))).toEqual(Buffer.from(path));
      }),
      { numRuns: 2000 },
    );
  });
});
