import { describe, expect, it } from 'vitest';
import type { StoredBinlog } from './binlog-store.ts';
import { chooseStart } from './choose-start.ts';
import { describeGap, findLogGaps } from './find-log-gaps.ts';

const stored = (number: number, more: Partial<StoredBinlog> = {}): StoredBinlog => ({
  ...{ format: 1, isPartial: false, isEncrypted: false, serverId: 7, serverVersion: '10.11.19-MariaDB', key: '' },
  ...{
    createdAt: 1,
    firstAt: 1,
    lastAt: 2,
    sha256: '0'.repeat(64),
    transactions: 1,
    gtids: [],
    startGtids: [],
    end: 'rotate',
  },
  ...{ nextFile: null, sizeBytes: 100 + number, name: `bin.${String(number).padStart(6, '0')}`, ...more },
});
const onServer = (...numbers: number[]) => numbers.map((number) => stored(number));
const common = { partial: null, archived: [], isGapAccepted: false };

describe('a receiver', () => {
  it.each([
    ['with the oldest log when there is no archive', { onServer: onServer(3, 4) }, 'bin.000003'],
    ['behind the archive', { onServer: onServer(3, 4, 5), archived: onServer(3, 4) }, 'bin.000005'],
    ['with the log that was being written', { onServer: onServer(4, 5), partial: stored(4) }, 'bin.000004'],
    [
      'behind a gap that is accepted',
      { onServer: onServer(6), archived: onServer(3), isGapAccepted: true },
      'bin.000006',
    ],
  ])('begins %s', (_, options, start) => {
    expect(chooseStart({ ...common, ...options })).toBe(start);
  });

  it.each([
    ['BINLOG_GAP', 'removed logs', { onServer: onServer(6, 7), archived: onServer(3) }],
    ['BINLOG_GAP', 'the removed rest of a log', { onServer: onServer(6), partial: stored(4) }],
    ['BINLOG_CONFLICT', 'numbers that began anew', { onServer: onServer(1, 2), archived: onServer(7, 8) }],
    [
      'BINLOG_CONFLICT',
      'another log of that name',
      { onServer: [{ name: 'bin.000003', sizeBytes: 9 }, stored(4)], archived: onServer(3) },
    ],
    [
      'BINLOG_CONFLICT',
      'another series',
      { onServer: onServer(4), archived: [stored(3, { name: 'mysql-bin.000003' })] },
    ],
    ['BINLOG_CONFLICT', 'a server without logs', { onServer: [] }],
  ])('stops with %s at %s', (code, _, options) => {
    expect(() => chooseStart({ ...common, ...options })).toThrow(expect.objectContaining({ code }));
  });
});

it('names what is missing between logs', () => {
  expect(findLogGaps(onServer(1, 2, 4, 8)).map(describeGap)).toEqual(['bin.000003', 'bin.000005 to bin.000007']);
  expect(findLogGaps(onServer(999_999, 1_000_000))).toEqual([]);
});
