import { describe, expect, it } from 'vitest';
import { CRC64_JONES, Crc64 } from '../../ports/crc64.ts';
import { rdbBytes as bytes, makeRdb as file, rdbKey as key, rdbText as text } from '../../testing/make-rdb.ts';
import { RdbScanner } from './rdb-scanner.ts';

function scan(whole: Buffer, chunkBytes = whole.length) {
  const scanner = new RdbScanner();
  for (let at = 0; at < whole.length; at += chunkBytes) scanner.push(whole.subarray(at, at + chunkBytes));
  return scanner.finish();
}

const stream = (version: 1 | 2 | 3) =>
  bytes(
    ...[1, text('master-id-16byte'), text('listpack'), 5, 0x40, 0x99, 7],
    ...(version > 1 ? [1, 2, 3, 4, 5] : []),
    ...[1, text('group'), 1, 2, ...(version > 1 ? [9] : []), 1, Buffer.alloc(24, 7), 3],
    ...[1, text('consumer'), Buffer.alloc(version > 2 ? 16 : 8, 9), 2, Buffer.alloc(32, 1)],
  );
const double = Buffer.alloc(8, 3);
const moduleBytes = bytes(0x81, Buffer.alloc(8, 1), 2, 5, 1, 4, 3, Buffer.alloc(4), 4, double, 5, text('m'), 0);

/** One value of every kind. */
const values: Record<string, Buffer> = {
  text: key(0, text('value')),
  'numbers and compressed text': bytes(
    ...[key(0, bytes(0xc0, 1)), key(0, bytes(0xc1, 1, 2)), key(0, bytes(0xc2, 1, 2, 3, 4))],
    key(0, bytes(0xc3, 3, 0x40, 200, 'xyz')),
  ),
  'long lengths': bytes(
    key(0, bytes(0x41, 0, Buffer.alloc(256))),
    key(0, bytes(0x80, 0, 1, 0, 0, Buffer.alloc(65_536))),
    key(0, bytes(0x81, 0, 0, 0, 0, 0, 1, 0, 0, Buffer.alloc(65_536))),
  ),
  'lists, sets and hashes': bytes(
    ...[1, 2].map((type) => key(type, bytes(2, text('a'), text('b')))),
    key(4, bytes(1, text('f'), text('v'))),
  ),
  'sorted sets': bytes(key(3, bytes(2, text('a'), 253, text('b'), text('1.5'))), key(5, bytes(1, text('a'), double))),
  'packed ones': bytes(...[9, 10, 11, 12, 13, 16, 17, 20].map((type) => key(type, text('packed')))),
  'quick lists': bytes(key(14, bytes(2, text('a'), text('b'))), key(18, bytes(1, 2, text('node')))),
  streams: bytes(key(15, stream(1)), key(19, stream(2)), key(21, stream(3))),
  'hashes with expiring fields': bytes(
    key(24, bytes(double, 1, 7, text('f'), text('v'))),
    key(25, bytes(double, text('p'))),
  ),
  modules: bytes(key(7, moduleBytes), 0xf7, moduleBytes),
  'marks around keys': bytes(
    ...[0xfc, double, 0xf8, 5, 0xf9, 3, key(0, text('v')), 0xfd, Buffer.alloc(4), key(0, text('v'))],
    ...[0xfb, 9, 1, 0xf4, 1, 2, 3, 0xf5, text('#!lua name=x')],
  ),
};

describe('a dump', () => {
  it('has the checksum of Redis', () => {
    const crc = new Crc64(CRC64_JONES);
    crc.update(Buffer.from('123456789'));
    expect(Buffer.from(crc.digest()).toString('hex')).toBe('cad9b8c414d9c6e9');
  });

  it.each(Object.entries(values))('is read with %s, whatever chunks it comes in', (_name, value) => {
    const whole = file(bytes(0xfe, 3, value));
    const expected = scan(whole);
    expect(expected).toMatchObject({ version: 12, server: 'Redis 7.4.1', hasChecksum: true, bytes: whole.length });
    expect(expected.keys).not.toBeNull();
    for (const size of [1, 7, 8, 9, 10, 100])
      if (whole.length / size < 20_000) expect(scan(whole, size)).toEqual(expected);
  });

  it('tells how many keys each database has', () => {
    const one = key(0, text('v'));
    const summary = scan(file(bytes(0xfe, 0, one, one, 0xfc, double, one, 0xfe, 5, one, 0xf5, text('f'))));
    expect([...(summary.keys ?? [])]).toEqual([
      [0, 3],
      [5, 1],
    ]);
    expect(summary).toMatchObject({ expiring: 1, functions: 1 });
    expect(scan(file(bytes(0xfe, 0, key(22, bytes(1, text('f'), text('v'), double))), 'VALKEY080'))).toMatchObject({
      version: 80,
      keys: new Map([[0, 1]]),
    });
  });

  it('is refused when it is cut anywhere or one bit is wrong', () => {
    const whole = file(bytes(0xfe, 0, ...Object.values(values).filter((value) => value.length < 1000)));
    expect(scan(whole).keys?.get(0)).toBe(28);
    for (let cut = 0; cut < whole.length; cut += 1) expect(() => scan(whole.subarray(0, cut)), `${cut}`).toThrow();
    for (let at = 0; at < whole.length; at += 1) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ 4;
      expect(() => scan(flipped), `${at}`).toThrow();
    }
    expect(() => scan(bytes(whole, 0))).toThrow('something follows its end');
    expect(() => scan(Buffer.from('SQLite format 3'))).toThrow('no dump of Redis');
    expect(() => scan(Buffer.from('REDIS0003xxxxxxxxxxxxxxxxx'))).toThrow('too old');
  });

  it('is checked by its checksum alone when it holds something newer', () => {
    const whole = file(bytes(0xfe, 0, key(0, text('v')), key(77, text('what is this?'))));
    expect(scan(whole)).toMatchObject({ keys: null, hasChecksum: true });
    expect(() => scan(whole.subarray(0, -1))).toThrow();
    const unchecked = bytes(whole.subarray(0, -8), Buffer.alloc(8));
    expect(scan(unchecked)).toMatchObject({ keys: null, hasChecksum: false });
  });

  it('does not mind memory of chunks that is used again', () => {
    const whole = file(bytes(0xfe, 0, ...Object.values(values)));
    const memory = Buffer.alloc(13);
    const scanner = new RdbScanner();
    for (let at = 0; at < whole.length; at += memory.length) {
      const count = whole.copy(memory, 0, at);
      scanner.push(memory.subarray(0, count));
      memory.fill(0xee);
    }
    expect(scanner.finish().keys?.get(0)).toBe(31);
  });
});
