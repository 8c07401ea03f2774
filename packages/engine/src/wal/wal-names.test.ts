import { expect, it } from 'vitest';
import { checkSegment, readWalHeader } from './wal-header.ts';
import { parseLsn, parseWalName, segmentName, segmentNumber, segmentOfLsn, type WalName } from './wal-names.ts';

const MIB = 2 ** 20;

it('knows the four kinds of files, and takes nothing else for one', () => {
  const kinds = {
    '0000000100000002000000AB': 'segment',
    '0000000100000002000000AB.partial': 'partial',
    '0000000100000002000000AB.00000028.backup': 'backup',
    '0000000A.history': 'history',
  };
  for (const [name, kind] of Object.entries(kinds)) {
    expect(parseWalName(name)).toEqual({ name, kind, timeline: name.startsWith('0000000A') ? 10 : 1 });
  }
  for (const name of [
    '',
    '0000000100000002000000ab',
    '0000000100000002000000A',
    '0000000000000002000000AB',
    '../00000001.history',
    '00000000.history',
    '0000000100000002000000AB.part',
    'archive_status',
  ]) {
    expect(parseWalName(name), name).toBe(null);
  }
});

it('counts segments of any size through the whole log', () => {
  for (const [size, segment, name] of [
    [16 * MIB, 0xff, '0000000100000000000000FF'],
    [16 * MIB, 0x100, '000000010000000100000000'],
    [MIB, 4095, '000000010000000000000FFF'],
    [MIB, 4096, '000000010000000100000000'],
    [64 * MIB, 63, '00000001000000000000003F'],
    [64 * MIB, 64, '000000010000000100000000'],
    [1024 * MIB, 5, '000000010000000100000001'],
    [MIB, 4095 + 4096 * 0xffffffff, '00000001FFFFFFFF00000FFF'],
  ] as const) {
    expect(segmentName(1, segment, size)).toBe(name);
    expect(segmentNumber(name, size)).toBe(segment);
  }
  expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
  expect(segmentOfLsn(0x16b374d848n, 16 * MIB)).toBe(segmentNumber('0000000100000016000000B3', 16 * MIB));
  expect(['', '1', '1/', 'x/1', '1/123456789'].map(parseLsn)).toEqual([null, null, null, null, null]);
});

/** The first bytes of a segment as PostgreSQL 15 writes them. */
function header(parts: { magic?: number; info?: number; timeline?: number; address?: bigint; size?: number } = {}) {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt16LE(parts.magic ?? 0xd110, 0);
  bytes.writeUInt16LE(parts.info ?? 2, 2);
  bytes.writeUInt32LE(parts.timeline ?? 1, 4);
  bytes.writeBigUInt64LE(parts.address ?? BigInt(3 * 16 * MIB), 8);
  bytes.writeBigUInt64LE(7_345_678_901_234_567_890n, 24);
  bytes.writeUInt32LE(parts.size ?? 16 * MIB, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

const third = parseWalName('000000010000000000000003') as WalName;

it('reads whose segment it is, and where it belongs', () => {
  const found = checkSegment(third, { start: header(), sizeBytes: 16 * MIB });
  expect(found).toEqual({
    timeline: 1,
    pageAddress: BigInt(3 * 16 * MIB),
    systemIdentifier: '7345678901234567890',
    segmentBytes: 16 * MIB,
  });
  // A new timeline begins with a copy of the last segment of the old one; a newer version has a higher number.
  const branched = parseWalName('000000020000000000000003') as WalName;
  expect(checkSegment(branched, { start: header({ magic: 0xd11f }), sizeBytes: 16 * MIB }).timeline).toBe(1);
});

it('refuses what is cut off, empty, of another place, or no segment', () => {
  const size = 16 * MIB;
  const wrong: [Uint8Array, number, RegExp][] = [
    [header(), size - 1, /16777215 bytes/],
    [header({ address: 0n }), size, /another place/],
    [header({ timeline: 2 }), size, /timeline 2/],
    [header({ timeline: 0 }), size, /timeline 0/],
    [header({ magic: 0x1234 }), size, /does not begin/],
    [header({ info: 0 }), size, /does not begin/],
    [header({ size: 12_345 }), size, /does not begin/],
    [Buffer.alloc(40), size, /does not begin/],
    [header().subarray(0, 39), 39, /does not begin/],
  ];
  for (const [start, sizeBytes, reason] of wrong) {
    expect(() => checkSegment(third, { start, sizeBytes })).toThrow(reason);
  }
  expect(readWalHeader(header({ magic: 0x10d1 }))).toBe(null);
});
