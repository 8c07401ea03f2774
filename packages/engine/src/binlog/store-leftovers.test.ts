/** What a receiver that was killed has left, and for which archive. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../ports/clock.ts';
import { binlogSettings, makeBinlog, makeStatement } from '../testing/make-binlog.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { BinlogStore } from './binlog-store.ts';
import { SpoolFolder } from './spool-folder.ts';
import { storeLeftovers } from './store-leftovers.ts';

const { signal } = new AbortController();
const log = () => {};
let folder: string;
let storage: MemoryStorage;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backupx-leftovers-'));
  storage = createMemoryStorage();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A start of the receiver with this prefix, as far as to what comes from the server. */
async function start(prefix: string): Promise<BinlogStore> {
  const spool = SpoolFolder.take(folder);
  const store = new BinlogStore(storage, { ...binlogSettings, prefix });
  try {
    await storeLeftovers({ store, spool, signal, log, clock: systemClock, partialIntervalMs: 1 });
  } finally {
    spool.release();
  }
  return store;
}

function leave(...names: string[]): void {
  for (const name of names) writeFileSync(join(folder, name), makeBinlog(100, [makeStatement(110, 'shop', 'x')]));
}

const stored = async (store: BinlogStore) => (await store.all(signal)).map(({ name }) => name);

it('is stored although the archive is empty: the server may have it no more', async () => {
  await start('p');
  leave('bin.000003', 'bin.000004');
  expect(await stored(await start('p'))).toEqual(['bin.000003', 'bin.000004']);
});

it('does not come into another archive, as after RESET MASTER, and is not lost', async () => {
  await start('p');
  leave('bin.000041', 'bin.000042');
  const refused = {
    code: 'CONFIG_INVALID',
    params: { problems: expect.stringMatching(/the archive at p .bin\.000041/) },
  };
  for (const _ of [1, 2]) await expect(start('new')).rejects.toMatchObject(refused);
  expect(storage.objects.size).toBe(0);
  expect(readdirSync(folder)).toContain('bin.000041');
  expect(await stored(await start('p'))).toEqual(['bin.000041', 'bin.000042']);
  rmSync(join(folder, 'bin.000042'), { force: true });
  expect(await stored(await start('new'))).toEqual([]);
  leave('bin.000001');
  expect(await stored(await start('new'))).toEqual(['bin.000001']);
});
