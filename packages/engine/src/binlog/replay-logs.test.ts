/** What a replay refuses before it sends a statement. */
import { deflateSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  binlogSettings,
  type MadeEvent,
  makeBinlog,
  makeGtid,
  makeGtidList,
  makeStatement,
  makeUnnamed,
} from '../testing/make-binlog.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { nameWith } from './binlog-names.ts';
import { BinlogStore } from './binlog-store.ts';
import { readBinlog } from './read-binlog.ts';
import { namesDatabase, readStatement } from './read-statement.ts';
import { type ReplayOptions, replayLogs } from './replay-logs.ts';
import { verifyLogs } from './verify-logs.ts';

const { signal } = new AbortController();
const log = (number: number) => nameWith('bin.000000', number);
let store: BinlogStore;
beforeEach(() => {
  store = new BinlogStore(createMemoryStorage(), binlogSettings);
});

async function put(
  number: number,
  createdAt: number,
  events: readonly MadeEvent[],
  serverId?: number,
): Promise<number> {
  async function* read() {
    yield makeBinlog(createdAt, events, serverId);
  }
  const facts = await readBinlog(read(), { name: log(number) });
  await store.put(log(number), facts, { read, isPartial: false, signal });
  return facts.sizeBytes;
}

const seconds = (value: number) => new Date(value * 1000);
const replay = (parts: Partial<ReplayOptions>) =>
  replayLogs({
    ...{ store, signal, isDryRun: true, isEndAccepted: false, untilPlace: null, untilTime: null, database: null },
    ...{ rewrites: [], from: { file: log(1), position: 4 }, log: () => {}, ...parts },
  } as unknown as ReplayOptions);
const change = (time: number, text = 'INSERT INTO t VALUES (1)') => makeStatement(time, 'shop', text);

it('does not pretend to have reached a moment behind the end of the archive', async () => {
  await put(1, 100, [change(110), change(120)]);
  const wish = { untilTime: seconds(121) };
  await expect(replay(wish)).rejects.toMatchObject({
    code: 'BINLOG_END_EARLY',
    params: { end: '1970-01-01T00:02:00Z' },
  });
  expect(await replay({ ...wish, isEndAccepted: true })).toMatchObject({ endsEarlyAt: '1970-01-01T00:02:00Z' });
  expect(await replay({ untilTime: seconds(120) })).toMatchObject({ endsEarlyAt: null });
  // The next log shows that nothing is missing.
  await put(2, 130, []);
  expect(await replay(wish)).toMatchObject({ endsEarlyAt: null });
});

it('does not call it done when the moment lies before the backup', async () => {
  const size = await put(1, 100, [change(110), change(120)]);
  const early = (position: number, until: number) =>
    replay({ from: { file: log(1), position }, untilTime: seconds(until), isEndAccepted: true });
  const refused = { code: 'INVALID_INPUT' };
  await expect(early(4, 50)).rejects.toMatchObject(refused);
  await expect(early(size, 115)).rejects.toMatchObject(refused);
  await expect(early(size, 120)).rejects.toMatchObject(refused);
  expect(await early(size, 121)).toMatchObject({ ranges: [{ from: size }] });
  for (const position of [4, 3]) {
    const untilPlace = { file: log(1), position };
    await expect(replay({ untilPlace })).rejects.toMatchObject(refused);
  }
});

it('does not call it done when the log itself was begun at the moment, whatever the times in it', async () => {
  const before = await put(1, 200, [change(110)]);
  const size = await put(2, 300, [change(310)]);
  expect(size).toBe(before);
  await put(3, 200, [change(110), change(120)]);
  const from = { file: log(3), position: size };
  for (const until of [150, 200]) {
    await expect(replay({ from, untilTime: seconds(until) })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      fields: [{ path: '--until', message: expect.stringContaining('1970-01-01T00:03:20Z') }],
    });
  }
  expect(await replay({ from, untilTime: seconds(201), isEndAccepted: true })).toMatchObject({ isDone: false });
  // By place it goes through.
  expect(await replay({ from })).toMatchObject({ ranges: [{ name: log(3), from: size }] });
});

it('goes on into the next log when only what lies before the start is behind the moment', async () => {
  const size = await put(1, 100, [change(900)]);
  await put(2, 200, [change(210), change(250)]);
  await put(3, 300, []);
  const { ranges } = await replay({ from: { file: log(1), position: size }, untilTime: seconds(260) });
  expect(ranges.map(({ name }) => name)).toEqual([log(1), log(2)]);
});

it('does not go by the clock of a replica that lags', async () => {
  const repeated = (time: number) => ({ ...change(time), serverId: 1 });
  await put(1, 100, [repeated(50), repeated(60)]);
  await put(2, 200, [repeated(70), repeated(80)]);
  const refused = { code: 'INVALID_INPUT', fields: [{ message: expect.stringContaining('bin.000002:') }] };
  await expect(replay({ untilTime: seconds(150) })).rejects.toMatchObject(refused);
  await put(3, 300, [repeated(160)]);
  await expect(replay({ untilTime: seconds(150) })).rejects.toMatchObject(refused);
  // In the middle of what it repeats the times say it.
  expect(
    (await replay({ untilTime: seconds(260), from: { file: log(3), position: 4 } }).catch((error) => error)).code,
  ).toBe('INVALID_INPUT');
});

it('believes a replica that does not lag, and none that may', async () => {
  const repeated = (time: number) => ({ ...change(time), serverId: 1 });
  await put(1, 100, [repeated(110), repeated(120)]);
  expect((await replay({ untilTime: seconds(115) })).ranges.length).toBe(1);
  await put(2, 200, []);
  const wish = { untilTime: seconds(150) };
  await expect(replay(wish)).rejects.toMatchObject({
    code: 'BINLOG_END_EARLY',
    params: { end: '1970-01-01T00:02:00Z' },
  });
  await put(3, 300, [repeated(310)]);
  expect(await replay(wish)).toMatchObject({ ranges: [{ name: log(1) }], endsEarlyAt: null });
});

it.each([
  ['MariaDB', makeGtid(140, '0-1-5')],
  ['MySQL', makeUnnamed(140, 1)],
])('knows a replica of %s that had nothing to do by what it repeats later', async (_, begin) => {
  await put(1, 100, []);
  await put(2, 200, []);
  await put(3, 300, [begin, { ...change(140), serverId: 1 }]);
  const refused = { code: 'INVALID_INPUT', fields: [{ message: expect.stringContaining('bin.000003:') }] };
  await expect(replay({ untilTime: seconds(150) })).rejects.toMatchObject(refused);
  // What is behind a place that is asked for besides does not count.
  const untilPlace = { file: log(2), position: 4 };
  expect(await replay({ untilTime: seconds(250), untilPlace })).toMatchObject({ endsEarlyAt: null });
});

it('looks for what a replica repeats late in all logs, not behind a gap', async () => {
  const repeated = (time: number) => ({ ...change(time), serverId: 1 });
  await put(1, 100, [repeated(110)]);
  await put(2, 200, []);
  await put(4, 400, [repeated(410)]);
  const gap = { code: 'BINLOG_GAP', params: { logs: log(3) } };
  await expect(replay({ untilTime: seconds(150) })).rejects.toMatchObject(gap);
  await put(3, 300, []);
  expect(await replay({ untilTime: seconds(150) })).toMatchObject({ ranges: [{ name: log(1) }], endsEarlyAt: null });
});

it('needs no log behind the place it ends at, nor any up to there behind the moment', async () => {
  await put(1, 100, [change(110)]);
  const size = await put(2, 200, [change(210)]);
  await put(5, 500, []);
  const untilPlace = { file: log(2), position: size };
  expect((await replay({ untilPlace })).ranges).toMatchObject([{ name: log(1) }, { name: log(2), to: size }]);
  await expect(replay({ untilPlace: { file: log(5), position: 5 } })).rejects.toMatchObject({
    code: 'BINLOG_GAP',
    params: { logs: `${log(3)} to ${log(4)}` },
  });
  await put(3, 300, []);
  const { ranges } = await replay({ untilTime: seconds(250), untilPlace: { file: log(3), position: 5 } });
  expect(ranges.map(({ name }) => name)).toEqual([log(1), log(2)]);
});

it('does not begin where another server was, though its logs are called the same', async () => {
  const events = [
    makeGtid(110, '0-7-1'),
    change(110),
    makeGtid(120, '0-7-2'),
    change(120),
    makeGtid(130, '0-7-3'),
    change(130),
  ];
  await put(1, 100, events);
  const position = makeBinlog(100, events.slice(0, 4)).byteLength;
  const from = (gtid: string) => ({ from: { file: log(1), position, gtid } });
  await expect(replay(from('0-9-2'))).rejects.toMatchObject({ code: 'BINLOG_START_MISSING' });
  await expect(replay(from('0-7-1'))).rejects.toMatchObject({ code: 'BINLOG_START_MISSING' });
  expect(await replay(from('0-7-2,4-4-4'))).toMatchObject({ ranges: [{ name: log(1) }] });
});

it('refuses logs of two servers', async () => {
  await put(1, 100, [makeGtidList(100, ['0-7-5'])]);
  await put(2, 200, [makeGtidList(200, ['0-7-5'])]);
  expect((await replay({})).ranges.length).toBe(2);
  // The same server under another number.
  await put(3, 300, [makeGtidList(300, ['0-7-5'])], 8);
  expect((await replay({})).ranges.length).toBe(3);
  await put(4, 400, [makeGtidList(400, ['0-9-1'])], 9);
  await expect(replay({})).rejects.toMatchObject({ code: 'BINLOG_CONFLICT' });
  const verdict = await verifyLogs(store, { from: null, signal });
  expect(verdict).toMatchObject({
    isWhole: false,
    damaged: [{ name: log(4), reason: expect.stringContaining('id 9') }],
  });
});

describe('under another name', () => {
  const rename = (parts: Partial<ReplayOptions> = {}) => replay({ rewrites: ['shop->copy'], ...parts });

  it('refuses statements that name the database themselves, and says where they are', async () => {
    const before = await put(1, 100, [change(110)]);
    expect(await rename()).toMatchObject({ isDone: false });
    await put(2, 200, [change(210), change(220, 'ALTER TABLE `shop`.t ADD x INT'), change(230)]);
    const refusal = {
      code: 'BINLOG_REWRITE_IMPOSSIBLE',
      params: { places: expect.stringMatching(/^bin\.000002:\d+$/) },
    };
    await expect(rename()).rejects.toMatchObject(refusal);
    expect(await rename({ untilTime: seconds(220) })).toMatchObject({ isDone: false });
    expect(await rename({ untilPlace: { file: log(1), position: before } })).toMatchObject({ isDone: false });
    expect(await rename({ database: 'other' })).toMatchObject({ isDone: false });
    await expect(rename({ database: 'shop' })).rejects.toMatchObject(refusal);
    expect(await replay({})).toMatchObject({ isDone: false });
  });

  it.each([
    ['INSERT INTO shop.t VALUES (1)', true],
    ['INSERT INTO `shop` . `t` VALUES (1)', true],
    ['drop database if exists shop', true],
    ['CREATE SCHEMA `shop`', true],
    ['GRANT SELECT ON Shop.* TO a', true],
    ['/*!40000 ALTER TABLE shop.t DISABLE KEYS */', true],
    ['INSERT INTO "shop"."t" VALUES (1)', true],
    ["INSERT INTO t VALUES ('see shop.example', 'it\\'s shop.x')", false],
    ['INSERT INTO t SELECT shop FROM u', false],
    ['INSERT INTO workshop.t VALUES (1)', false],
    ['INSERT INTO shop2.t VALUES (1)', false],
    ['/* shop.t */ INSERT INTO t VALUES (1)', false],
    ['INSERT INTO a.shop VALUES (1)', false],
  ])('looks into %s', (text, expected) => {
    expect(namesDatabase(text, 'shop')).toBe(expected);
  });

  it('reads packed statements, and is in doubt about what it cannot read', () => {
    const { body } = makeStatement(1, 'shop', '');
    const text = Buffer.from('DROP TABLE shop.t');
    const packed = Buffer.concat([body, Buffer.from([0x81, text.length]), deflateSync(text)]);
    expect(readStatement({ type: 165, body: packed })).toEqual({ database: 'shop', text: 'DROP TABLE shop.t' });
    expect(readStatement({ type: 165, body: Buffer.concat([body, Buffer.from('junk')]) })).toBe('unknown');
    expect(readStatement({ type: 2, body: body.subarray(0, 14) })).toBe('unknown');
    expect(readStatement({ type: 40, body })).toBe('unknown');
    expect(readStatement({ type: 19, body })).toBe(null);
  });
});
