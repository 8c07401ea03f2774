import * as fc from 'fast-check';
import { BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { everyType } from '../../testing/mongo-archives.ts';
import { readElements } from './bson-elements.ts';
import { parseExtended } from './bson-json.ts';
import { decodeOrdered, formatExtended } from './bson-ordered.ts';

const serialize = (document: object): Buffer => Buffer.from(BSON.serialize(document));

describe('a document with its order kept', () => {
  it('is the same after a way through extended JSON', () => {
    const bytes = everyType('x');
    const text = formatExtended(decodeOrdered(bytes));
    expect(formatExtended(parseExtended(text))).toBe(text);
    expect(serialize(parseExtended(text)).equals(bytes)).toBe(true);
  });

  it('keeps names that look like numbers where they are', () => {
    const keys = new Map<string, unknown>([
      ['b', new BSON.Int32(1)],
      ['0', new BSON.Int32(-1)],
      ['a', 'text'],
    ]);
    const bytes = serialize(new Map([['key', keys]]));
    const decoded = decodeOrdered(bytes);
    const text = formatExtended(decoded);
    expect(text).toBe('{"key":{"b":{"$numberInt":"1"},"0":{"$numberInt":"-1"},"a":"text"}}');
    expect([...(parseExtended(text).get('key') as Map<string, unknown>).keys()]).toEqual(['b', '0', 'a']);
    expect(serialize(parseExtended(text)).equals(bytes)).toBe(true);
  });

  it('leaves operators alone, and understands numbers of old tools', () => {
    const text = '{"f":{"$regex":"^a","$options":"i"},"n":5,"m":5000000000,"d":1.5,"e":{"$numberLong":"6"}, "z":[ ] }';
    const parsed = parseExtended(text);
    expect(parsed.get('f')).toEqual(
      new Map([
        ['$regex', '^a'],
        ['$options', 'i'],
      ]),
    );
    expect(readElements(serialize(parsed)).map(({ name, type }) => [name, type])).toEqual([
      ['f', 0x03],
      ['n', 0x10],
      ['m', 0x12],
      ['d', 0x01],
      ['e', 0x12],
      ['z', 0x04],
    ]);
  });

  it('agrees with the driver about any document', () => {
    const anyDocument = fc.dictionary(
      fc.string().filter((name) => !/[\0$]/.test(name) && !/^\d+$/.test(name) && name !== '__proto__'),
      fc.jsonValue({ maxDepth: 3 }),
    );
    fc.assert(
      fc.property(anyDocument, (document) => {
        const bytes = serialize(document);
        const text = BSON.EJSON.stringify(BSON.deserialize(bytes, { promoteValues: false }), { relaxed: false });
        expect(formatExtended(decodeOrdered(bytes))).toBe(text);
        expect(serialize(parseExtended(text)).equals(bytes)).toBe(true);
      }),
    );
  });

  it('is refused when it is none', () => {
    for (const text of ['', '{', '[]', '{"a":1,}', '{"a" 1}', '{a:1}', '{"a":1}x', '{"a":}', '{"a":tru}', '{"a":[1}']) {
      expect(() => parseExtended(text), text).toThrow(/./);
    }
    const deep = `${'{"a":'.repeat(300)}1${'}'.repeat(300)}`;
    expect(() => parseExtended(deep)).toThrow('too deep');
    expect(() => parseExtended('{"a":{"$oid":"zz"}}')).toThrow('a value that is none');
    const bytes = everyType(1);
    for (let length = 0; length < bytes.byteLength; length += 1) {
      expect(() => decodeOrdered(bytes.subarray(0, length))).toThrow(/./);
    }
  });
});
