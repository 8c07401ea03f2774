import { beforeEach, expect, it } from 'vitest';
import { binlogSettings, makeBinlog } from '../testing/make-binlog.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { nameWith } from './binlog-names.ts';
import { BinlogStore } from './binlog-store.ts';
import { listLogs } from './list-logs.ts';
import { readBinlog } from './read-binlog.ts';
import { type ReplayOptions, replayLogs } from './replay-logs.ts';
import { verifyLogs } from './verify-logs.ts';

const { signal } = new AbortController();
const log = (number: number) => nameWith('bin.000000', number);
let store: BinlogStore;
beforeEach(() => {
  store = new BinlogStore(createMemoryStorage(), binlogSettings);
});

/** A log with an event for each time. */
const makeLog = (...[createdAt = 0, ...times]: number[]): Buffer =>
  makeBinlog(
    createdAt,
    times.map((time) => ({ type: 2, time, body: Buffer.alloc(9) })),
  );

async function put(number: number, bytes: Buffer, isPartial = false): Promise<void> {
  async function* read() {
    yield bytes;
  }
  await store.put(log(number), await readBinlog(read(), { name: log(number), isPartial }), { read, isPartial, signal });
}

it('keeps the longer part of a log when a receiver has begun it anew', async () => {
  await put(1, makeLog(100, 101, 102, 103), true);
  await put(1, makeLog(100, 101), true);
  expect(await store.partial(signal)).toMatchObject({ lastAt: 103 });
  await put(1, makeLog(100, 101, 102, 103, 104), true);
  expect(await store.partial(signal)).toMatchObject({ lastAt: 104 });
  // Another log of that name: that of another server, or the numbers of this one began anew.
  await expect(put(1, makeLog(200, 201, 202, 203, 204, 205), true)).rejects.toMatchObject({ code: 'BINLOG_CONFLICT' });
  expect(await store.partial(signal)).toMatchObject({ lastAt: 104 });
});

it('keeps the part of a log of which there will be no more', async () => {
  await put(1, makeLog(100, 101), true);
  await put(2, makeLog(200));
  expect(await store.partial(signal)).toMatchObject({ name: log(1) });
  // Its end is not known, so it is no log to go on from.
  expect((await store.all(signal)).map(({ name }) => name)).toEqual([log(2)]);
  expect(await verifyLogs(store, { from: log(1), signal })).toMatchObject({ isWhole: false, missing: [log(1)] });
  const listed = await listLogs(store, signal);
  expect([listed.logs.map(({ name }) => name), listed.missing]).toEqual([[log(1), log(2)], []]);
  await put(1, makeLog(100, 101));
  expect(await store.partial(signal)).toBe(null);
});

it('misses a log before the one that is being written', async () => {
  const verify = (from: string | null) => verifyLogs(store, { from, signal });
  await put(1, makeLog(100));
  await put(3, makeLog(300), true);
  expect(await verify(null)).toMatchObject({ isWhole: false, missing: [log(2)], logs: 2 });
  expect(await verify(log(3))).toMatchObject({ isWhole: true, logs: 1 });
  await put(2, makeLog(200));
  expect(await verify(null)).toMatchObject({ isWhole: true, logs: 3 });
});

it('takes nothing from behind the moment at which it stops, whatever the clock was set to', async () => {
  await put(1, makeLog(100, 110, 500, 120));
  await put(2, makeLog(130, 140));
  await put(3, makeLog(600));
  const until = async (seconds: number) => {
    const options = {
      store,
      signal,
      isDryRun: true,
      untilPlace: null,
      rewrites: [],
      untilTime: new Date(seconds * 1000),
    };
    const { ranges } = await replayLogs({
      ...options,
      from: { file: log(1), position: 4 },
    } as unknown as ReplayOptions);
    return ranges.map(({ name }) => name);
  };
  expect(await until(300)).toEqual([log(1)]);
  expect(await until(500.7)).toEqual([log(1)]);
  expect(await until(550)).toEqual([log(1), log(2)]);
  // What is lost behind the end that is asked for is not needed.
  await put(5, makeLog(700, 710));
  expect(await until(600)).toEqual([log(1), log(2)]);
  await put(3, makeLog(600));
  await expect(until(705)).rejects.toMatchObject({ code: 'BINLOG_GAP' });
});
