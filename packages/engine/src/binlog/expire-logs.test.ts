import { beforeEach, expect, it } from 'vitest';
import { binlogSettings, makeBinlog, makeGtid, makeGtidList, makeStatement } from '../testing/make-binlog.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { nameWith } from './binlog-names.ts';
import { BinlogStore } from './binlog-store.ts';
import { type ExpireLogsOptions, expireLogs } from './expire-logs.ts';
import { readBinlog } from './read-binlog.ts';
import { verifyLogs } from './verify-logs.ts';

const { signal } = new AbortController();
const log = (number: number) => nameWith('bin.000000', number);
let storage: MemoryStorage;
let store: BinlogStore;
beforeEach(async () => {
  storage = createMemoryStorage();
  store = new BinlogStore(storage, binlogSettings);
  for (const number of [1, 2, 3, 4]) await put(number, false);
  await put(5, true);
});

async function put(number: number, isPartial: boolean): Promise<void> {
  async function* read() {
    yield makeBinlog(100 * number, []);
  }
  await store.put(log(number), await readBinlog(read(), { name: log(number) }), { read, isPartial, signal });
}

const expire = (parts: Partial<ExpireLogsOptions>) =>
  expireLogs(store, { signal, before: null, backups: [], isDeleting: true, ...parts });
const place = (number: number, position = 4) => ({ file: log(number), position });
const names = async () => (await store.all(signal)).map(({ name }) => name);

it('keeps what the oldest backup needs, and says before what would go', async () => {
  const backups = [place(4), place(3)];
  const told = await expire({ backups, isDeleting: false });
  expect(told).toMatchObject({ keptFrom: log(3), logs: [log(1), log(2)], isDeleted: false });
  expect((await names()).length).toBe(5);
  expect(await expire({ backups })).toEqual({ ...told, isDeleted: true });
  expect(await names()).toEqual([log(3), log(4), log(5)]);
  expect(await verifyLogs(store, { from: null, signal })).toMatchObject({ isWhole: true });
  expect(await expire({ backups })).toMatchObject({ logs: [] });
  expect([...storage.objects.keys()].filter((key) => /00000[12]/.test(key))).toEqual([]);
});

it('has nothing to do with an archive below its own prefix, or with other files there', async () => {
  const inner = new BinlogStore(storage, { ...store.settings, prefix: 'p/inner' });
  async function* read() {
    yield makeBinlog(1, []);
  }
  await inner.put('other.000001', await readBinlog(read(), { name: 'other.000001' }), {
    read,
    isPartial: false,
    signal,
  });
  await storage.put('p/notes.json', read(), { signal });
  const before = [...storage.objects.keys()].filter((key) => key.includes('inner') || key.includes('notes'));
  expect((await names()).length).toBe(5);
  await expire({ before: log(4) });
  expect([...storage.objects.keys()].filter((key) => key.includes('inner') || key.includes('notes'))).toEqual(before);
});

it('leaves the newest whole log, by which a receiver goes on', async () => {
  expect(await expire({ backups: [place(5)] })).toMatchObject({ keptFrom: log(4) });
  expect(await names()).toEqual([log(4), log(5)]);
});

it('refuses what may be of another server, or nothing at all', async () => {
  await expire({ before: log(2) });
  const missing = { code: 'BINLOG_START_MISSING' };
  await expect(expire({ backups: [place(4), place(1)] })).rejects.toMatchObject(missing);
  await expect(expire({ backups: [place(4), place(3, 99_999)] })).rejects.toMatchObject(missing);
  await expect(expire({ backups: [{ file: 'other.000003', position: 4 }] })).rejects.toMatchObject(missing);
  const wrong = { code: 'INVALID_INPUT' };
  await expect(expire({})).rejects.toMatchObject(wrong);
  await expect(expire({ before: log(3), backups: [place(3)] })).rejects.toMatchObject(wrong);
  for (const before of [log(6), 'other.000003', 'nonsense'])
    await expect(expire({ before })).rejects.toMatchObject(wrong);
  expect((await names()).length).toBe(4);
});

it('knows a backup of another server by its GTIDs, although its logs are called the same', async () => {
  async function* read() {
    yield makeBinlog(600, [makeGtidList(600, ['0-7-5', '1-7-9'])]);
  }
  await store.put(log(5), await readBinlog(read(), { name: log(5) }), { read, isPartial: false, signal });
  const asked = (gtid: string) => expire({ backups: [{ ...place(5), gtid }], isDeleting: false });
  for (const gtid of ['0-7-5', '0-7-5,1-7-9', '3-3-3', '', '9d5c0f1e-0000-0000-0000-000000000000:1-77']) {
    expect(await asked(gtid)).toMatchObject({ keptFrom: log(5) });
  }
  for (const gtid of ['0-7-6', '0-7-4', '0-9-5', '0-7-5,1-7-10']) {
    await expect(asked(gtid)).rejects.toMatchObject({
      code: 'BINLOG_START_MISSING',
      params: { place: expect.stringContaining(gtid) },
    });
  }
});

it('reads the log that decides, so that a place in the middle of the logs of another server is known, too', async () => {
  const events = [
    makeGtidList(600, ['0-7-5']),
    makeGtid(601, '0-7-6'),
    makeStatement(601, 'shop', 'X'),
    makeGtid(602, '0-7-7'),
  ];
  const bytes = makeBinlog(600, events);
  const behind = makeBinlog(600, events.slice(0, 3)).byteLength;
  async function* read() {
    yield bytes;
  }
  await store.put(log(5), await readBinlog(read(), { name: log(5) }), { read, isPartial: false, signal });
  await put(6, true);
  const asked = (gtid: string, position = behind) => expire({ backups: [place(6), { ...place(5, position), gtid }] });
  await expect(asked('0-9-6')).rejects.toMatchObject({
    code: 'BINLOG_START_MISSING',
    params: { has: 'there the transaction 0-7-6' },
  });
  await expect(asked('0-7-6', behind - 1)).rejects.toMatchObject({ code: 'BINLOG_DAMAGED' });
  expect((await names()).length).toBe(6);
  expect(await asked('0-7-6')).toMatchObject({ keptFrom: log(5) });
});

it('leaves no gap when it is killed anywhere', async () => {
  const whole = new Map(storage.objects);
  const deleted = whole.size - [...whole.keys()].filter((key) => /00000[45]/.test(key)).length;
  for (let kills = 0; kills < deleted; kills++) {
    storage.objects.clear();
    for (const [key, bytes] of whole) storage.objects.set(key, bytes);
    let left = kills;
    const killed = new BinlogStore(
      {
        ...storage,
        delete: async (key, abort) => {
          if (left-- === 0) throw new Error('killed');
          await storage.delete(key, abort);
        },
      },
      store.settings,
    );
    await expect(expireLogs(killed, { signal, before: log(4), backups: [], isDeleting: true })).rejects.toThrow(
      'killed',
    );
    expect(await verifyLogs(store, { from: null, signal })).toMatchObject({ isWhole: true });
    await expire({ before: log(4) });
    expect(await names()).toEqual([log(4), log(5)]);
    expect([...storage.objects.keys()].filter((key) => /00000[123]/.test(key))).toEqual([]);
  }
});
