import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goJson, goJsonBytes, goJsonString, goNameJson, quoteName, unquoteName } from './go-json.ts';

describe('goJsonString', () => {
  it.each([
    ['plain', '"plain"'],
    ['<a href="x">&</a>', '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u003c/a\\u003e"'],
    ['\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f', '"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\u007f"'],
    ['\u2028\u2029é😀', '"\\u2028\\u2029é😀"'],
    ['a\ud800b\udc00', '"a\\ufffdb\\ufffd"'],
    ['back\\slash', '"back\\\\slash"'],
  ])('writes %j as Go does', (text, json) => {
    expect(goJsonString(text)).toBe(json);
  });

  it('is JSON of the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(goJsonString(text))).toBe(text);
      }),
    );
  });
});

describe('goJsonBytes', () => {
  it('is the text where it is UTF-8, with a mark for each byte that is not', () => {
    expect(goJsonBytes(Buffer.from('é<'))).toBe('"é\\u003c"');
    expect(goJsonBytes(Buffer.from('a\xff\xe9\n', 'latin1'))).toBe('"a\\ufffd\\ufffd\\n"');
    expect(goJsonBytes(Buffer.from('f09f98', 'hex'))).toBe('"\\ufffd\\ufffd\\ufffd"');
  });
});

describe('quoteName', () => {
  // What Go 1.26 says for these bytes.
  it.each([
    ['61', 'a'],
    ['00', '\\x00'],
    ['07080c0a0d090b', '\\a\\b\\f\\n\\r\\t\\v'],
    ['1b7f', '\\x1b\\x7f'],
    ['225c27', '\\"\\\\\''],
    ['ff', '\\xff'],
    ['c3a9', 'é'],
    ['c2a0', '\\u00a0'],
    ['c2ad', '\\u00ad'],
    ['efbbbf', '\\ufeff'],
    ['efbfbd', '\ufffd'],
    ['e280a8', '\\u2028'],
    ['eda080', '\\xed\\xa0\\x80'],
    ['c080', '\\xc0\\x80'],
    ['f09f9880', '😀'],
    ['f3a08081', '\\U000e0001'],
    ['f48fbfbf', '\\U0010ffff'],
    ['f4908080', '\\xf4\\x90\\x80\\x80'],
    // Characters newer than Unicode 15.0 are not printable to Go.
    ['f0aeafb0', '\\U0002ebf0'],
    ['f09c8080', '\\U0001c000'],
    ['e2bfbc', '\\u2ffc'],
    ['e38080', '\\u3000'],
    ['e5ad97', '字'],
  ])('quotes %s', (hex, quoted) => {
    const raw = Buffer.from(hex, 'hex');
    expect(quoteName(raw)).toBe(quoted);
    expect(unquoteName(quoted)).toEqual(raw);
    expect(JSON.parse(goNameJson(raw))).toBe(quoted);
  });

  it('leads back to the same bytes, whatever they are', () => {
    const raw = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 10 }).map((text) => new TextEncoder().encode(text)),
    );
    const property = fc.property(raw, (array) => {
      const name = Buffer.from(array);
      expect(unquoteName(quoteName(name)).equals(name)).toBe(true);
      expect(unquoteName(JSON.parse(goNameJson(name))).equals(name)).toBe(true);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

describe('unquoteName', () => {
  it('knows every escape of Go', () => {
    expect(unquoteName("\\a\\'\\x41\\u00e9\\U0001f600\\101").toString()).toBe("\u0007'Aé😀A");
    expect(unquoteName('\\ud800').toString('hex')).toBe('efbfbd');
  });

  it.each(['\\', '\\q', '\\x4', '\\u12', '\\U00110000', '\\400', 'ok\\'])('refuses %s', (text) => {
    expect(() => unquoteName(text)).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  });
});

describe('goJson', () => {
  it('leaves out what is undefined and escapes all texts', () => {
    expect(goJson({ a: undefined, '<': [1, null, { b: '&' }], c: false })).toBe(
      '{"\\u003c":[1,null,{"b":"\\u0026"}],"c":false}',
    );
  });
});
