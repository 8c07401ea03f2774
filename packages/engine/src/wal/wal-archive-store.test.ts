import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { claimKey } from './archive-keys.ts';
import { expireArchive } from './expire-archive.ts';
import { fetchFile } from './fetch-file.ts';
import { listArchive } from './list-archive.ts';
import { pushFile } from './push-file.ts';
import { verifyArchive } from './verify-archive.ts';
import { WalArchiveStore } from './wal-archive-store.ts';
import { parseWalName, segmentName, segmentNumber, type WalName } from './wal-names.ts';

const SIZE = 2 ** 20;
const folder = mkdtempSync(path.join(tmpdir(), 'backupx-wal-'));
const wal = path.join(folder, 'data', 'pg_wal');
const { signal } = new AbortController();
let storage: MemoryStorage;
let archive: WalArchiveStore;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(path.join(folder, 'data'), { recursive: true, force: true });
  mkdirSync(wal, { recursive: true });
  storage = createMemoryStorage();
  archive = new WalArchiveStore(storage, { prefix: 'p', recipients: [], identities: [], compressionLevel: 3 });
});

const name = (segment: number, timeline = 1) => segmentName(timeline, segment, SIZE);

/** A segment of 1 MiB as a server would leave it in `pg_wal`. */
function write(file: string, options: { fill?: number; cluster?: bigint; timeline?: number } = {}): string {
  const bytes = Buffer.alloc(SIZE, options.fill ?? 7);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(options.timeline ?? 1, 4);
  bytes.writeBigUInt64LE(BigInt(segmentNumber(file, SIZE) * SIZE), 8);
  bytes.writeBigUInt64LE(options.cluster ?? 42n, 24);
  bytes.writeUInt32LE(SIZE, 32);
  const target = path.join(wal, file);
  writeFileSync(target, bytes);
  return target;
}

function writeText(file: string, text: string): string {
  const target = path.join(wal, file);
  writeFileSync(target, text);
  return target;
}

const push = (file: string, isReplacing = false) => pushFile(file, archive, { signal, isReplacing });
const code = (work: Promise<unknown>) => work.then(() => 'done').catch((error) => error.code ?? error.message);
const keys = async () => {
  const found: string[] = [];
  for await (const { key } of storage.list('', signal)) found.push(key);
  return found.sort();
};

it('brings back what it was given, and says what it does not have', async () => {
  const file = write(name(3));
  expect(await push(file)).toBeGreaterThan(0);
  const target = path.join(wal, 'RECOVERYXLOG');
  expect(await fetchFile({ name: name(3), path: target }, archive, { signal })).toBe(true);
  expect(readFileSync(target).equals(readFileSync(file))).toBe(true);
  expect(await fetchFile({ name: name(4), path: target }, archive, { signal })).toBe(false);
  for (const wrong of ['nonsense', 'pg_wal/RECOVERYXLOG', '']) {
    expect(await code(fetchFile({ name: wrong, path: target }, archive, { signal }))).toBe('INVALID_INPUT');
  }
  const empty = new WalArchiveStore(createMemoryStorage(), archive.settings);
  expect(await code(fetchFile({ name: name(3), path: target }, empty, { signal }))).toBe('WAL_ARCHIVE_MISSING');
});

it('takes the same file twice, and no other of its name', async () => {
  await push(write(name(3)));
  const before = await keys();
  expect(await push(path.join(wal, name(3)))).toBe(0);
  expect(await code(push(write(name(3), { fill: 8 })))).toBe('WAL_CONFLICT');
  expect(await keys()).toEqual(before);
  await push(write(`${name(4)}.partial`));
  expect(await code(push(write(`${name(4)}.partial`, { fill: 8 })))).toBe('WAL_CONFLICT');
  // Nothing of another server goes.
  expect(await code(push(path.join(wal, `${name(4)}.partial`), true))).toBe('WAL_CONFLICT');
  const partial = (length: number) => {
    const file = write(`${name(4)}.partial`);
    writeFileSync(file, readFileSync(file).fill(0, length));
    return file;
  };
  const before4 = await keys();
  // It has less than is there, and then more than was.
  expect(await push(partial(1000), true)).toBe(0);
  expect(await keys()).toEqual(before4);
  for (const key of before4.filter((item) => item.includes('partial'))) await storage.delete(key, signal);
  for (const length of [1000, 3000, 2000, 700_000]) await push(partial(length), true);
  const [stored] = await archive.find(parseWalName(`${name(4)}.partial`) as WalName, signal);
  expect(stored?.sha256).toBe(
    createHash('sha256')
      .update(readFileSync(partial(700_000)))
      .digest('hex'),
  );
  expect((await keys()).filter((key) => key.includes('partial')).length).toBe(1);
  // As a kill between storing the new one and deleting the old one leaves it.
  await storage.put(`p/${name(4).slice(0, 16)}/${name(4)}.partial-${'0'.repeat(64)}.zst`, text('x'), { signal });
  await push(path.join(wal, `${name(4)}.partial`), true);
  expect((await keys()).filter((key) => key.includes('partial')).length).toBe(1);
});

it('brings the one that came further of two unfinished segments, as a kill leaves them', async () => {
  const file = `${name(4)}.partial`;
  const whole = readFileSync(write(file));
  const leave = async (length: number, fill = 7) => {
    writeFileSync(write(file, { fill }), Buffer.from(readFileSync(path.join(wal, file))).fill(0, length));
    const alone = createMemoryStorage();
    await pushFile(path.join(wal, file), new WalArchiveStore(alone, archive.settings), { signal });
    for (const [key, bytes] of alone.objects) storage.objects.set(key, bytes);
  };
  for (const length of [3000, 700_000, 2000]) await leave(length);
  expect(await archive.find(parseWalName(file) as WalName, signal)).toHaveLength(3);
  const target = path.join(wal, 'unfinished');
  const fetch = () => fetchFile({ name: file, path: target }, archive, { signal });
  expect(await fetch()).toBe(true);
  expect(readFileSync(target).equals(Buffer.from(whole).fill(0, 700_000))).toBe(true);
  expect((await verifyArchive(archive, options())).isWhole).toBe(false);
  await leave(700_000, 8);
  writeFileSync(target, 'mine');
  expect(await code(fetch())).toBe('WAL_CONFLICT');
  expect([readFileSync(target, 'utf8'), readdirSync(wal).filter((item) => item.includes('furthest'))]).toEqual([
    'mine',
    [],
  ]);
  // When the segment itself has come nobody needs them.
  await push(write(name(4)));
  expect((await verifyArchive(archive, options())).isWhole).toBe(true);
});

it('frees names that were taken by a push which was killed, or could not delete', async () => {
  for (const segment of [3, 4, 5]) {
    await archive.take(parseWalName(name(segment)) as WalName, 'x', signal);
  }
  await push(write(name(6)));
  const claims = () => [...storage.objects.keys()].filter((key) => key.includes('/claim/'));
  const expire = { signal, keepBackups: null, isDeleting: true, isForced: false, parallelism: 2 };
  await expireArchive(archive, { ...expire, before: name(5), isDeleting: false });
  expect(claims()).toHaveLength(3);
  await expireArchive(archive, { ...expire, before: name(5) });
  expect(claims()).toEqual([claimKey('p', name(5))]);
});

it('stores a damaged object anew', async () => {
  await push(write(name(3)));
  const [key = ''] = (await keys()).filter((item) => item.endsWith('.zst'));
  await storage.put(key, text('x'), { signal });
  expect(await push(path.join(wal, name(3)))).toBeGreaterThan(0);
  expect((await verifyArchive(archive, options({ isDeep: true }))).isWhole).toBe(true);
});

it('notices two servers that store another file of one name at the same moment', async () => {
  await push(write(name(2)));
  const first = path.join(folder, name(3));
  writeFileSync(first, readFileSync(write(name(3), { fill: 1 })));
  write(name(3), { fill: 2 });
  const ends = await Promise.all([code(push(first)), code(push(path.join(wal, name(3))))]);
  expect(ends).toContain('WAL_CONFLICT');
  expect((await archive.find(parseWalName(name(3)) as WalName, signal)).length).toBe(ends.includes('done') ? 1 : 0);
  expect((await verifyArchive(archive, options())).damaged).toEqual([]);
});

it('belongs to the cluster that came first', async () => {
  const label = writeText(`${name(2)}.00000028.backup`, 'START WAL LOCATION: 0/2000028 (file x)\n');
  expect(await code(push(label))).toBe('WAL_ARCHIVE_MISSING');
  await push(write(name(2)));
  await push(label);
  expect(await code(push(write(name(5), { cluster: 43n })))).toBe('WAL_OTHER_CLUSTER');
  expect(await code(push(writeText('00000002.history', '1\t0/3000000\tx\n')))).toBe('WAL_OTHER_CLUSTER');
  mkdirSync(path.join(folder, 'data', 'global'));
  const control = Buffer.alloc(8);
  control.writeBigUInt64LE(43n);
  writeFileSync(path.join(folder, 'data', 'global', 'pg_control'), control);
  const asked = fetchFile({ name: name(2), path: path.join(wal, 'RECOVERYXLOG') }, archive, { signal });
  expect(await code(asked)).toBe('WAL_OTHER_CLUSTER');
  // What that cluster lacks would end the recovery of this one.
  const missing = fetchFile({ name: name(9), path: path.join(wal, 'RECOVERYXLOG') }, archive, { signal });
  expect(await code(missing)).toBe('WAL_OTHER_CLUSTER');
});

it('does not take a gap for the end of the log', async () => {
  for (const segment of [3, 5]) await push(write(name(segment)));
  await push(write(name(9, 2)));
  const target = path.join(wal, 'RECOVERYXLOG');
  const ask = (segment: number, timeline = 1, isStandby = false) =>
    code(fetchFile({ name: name(segment, timeline), path: target }, archive, { signal, isStandby }));
  expect(await ask(4)).toBe('WAL_SEGMENT_MISSING');
  expect(await ask(4, 1, true)).toBe('done');
  expect([await ask(6), await ask(10, 2), await ask(4, 3)]).toEqual(['done', 'done', 'done']);
});

it('takes no gap for one when the server has the segment itself, whole', async () => {
  await push(write(name(3)));
  await push(write(name(6)));
  const global = path.join(folder, 'data', 'global');
  mkdirSync(global);
  const control = Buffer.alloc(8);
  control.writeBigUInt64LE(42n);
  writeFileSync(path.join(global, 'pg_control'), control);
  const ask = () =>
    code(fetchFile({ name: name(4), path: path.join(wal, 'RECOVERYXLOG') }, archive, { signal, isStandby: false }));
  const [PAGE, SWITCH] = [
    8192,
    Buffer.from([24, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0, 0x40, 0, 0, 0, 5, 5, 5, 5]),
  ];
  /** All pages are written, before `change`. */
  const beside = (change: (bytes: Buffer) => void = () => {}, options: Parameters<typeof write>[1] = {}) => {
    const file = write(name(4), options);
    const bytes = readFileSync(file);
    bytes.writeUInt32LE(PAGE, 36);
    for (let at = PAGE; at < SIZE; at += PAGE) {
      bytes.copy(bytes, at, 0, 4);
      bytes.writeBigUInt64LE(BigInt(4 * SIZE + at), at + 8);
    }
    change(bytes);
    writeFileSync(file, bytes);
  };
  const endAt = (end: number) => (bytes: Buffer) => bytes.fill(0, end);
  const switchAt = (end: number) => (bytes: Buffer) => SWITCH.copy(bytes.fill(0, end), end - SWITCH.length);
  const isRefused = async () => expect(await ask()).toBe('WAL_SEGMENT_MISSING');
  const isTaken = async () => expect(await ask()).toBe('done');

  await isRefused();
  beside();
  await isTaken();
  // Ended early, in the middle of a page, on the first one, and with the record on two.
  for (const end of [PAGE * 9 + 512, PAGE * 9, 1024]) {
    beside(switchAt(end));
    await isTaken();
  }
  beside((bytes) => {
    const end = PAGE * 9 + 24 + 16;
    bytes.fill(0, end);
    SWITCH.copy(bytes, PAGE * 9 - 8, 0, 8);
    SWITCH.copy(bytes, PAGE * 9 + 24, 8);
  });
  await isTaken();
  // It was still being written, in a fresh file and in one that is used again.
  for (const end of [PAGE * 9 + 512, PAGE * 9, 1024]) {
    beside(endAt(end));
    await isRefused();
  }
  beside((bytes) => bytes.writeBigUInt64LE(BigInt(2 * SIZE - PAGE), SIZE - PAGE + 8));
  await isRefused();
  for (const options of [{ cluster: 43n }, { timeline: 2 }]) {
    beside(() => {}, options);
    await isRefused();
  }
  beside((bytes) => bytes.writeBigUInt64LE(BigInt(5 * SIZE), 8));
  await isRefused();
  beside();
  writeFileSync(path.join(wal, name(4)), readFileSync(path.join(wal, name(4))).subarray(0, SIZE / 2));
  await isRefused();
  // Not beside a server, whatever lies there.
  beside();
  rmSync(global, { recursive: true });
  await isRefused();
});

it('takes the same content from either of two objects', async () => {
  await push(write(name(3)));
  const [stored] = await archive.find(parseWalName(name(3)) as WalName, signal);
  await storage.put(`${stored?.key}.age`, text('x'), { signal });
  const target = path.join(wal, 'RECOVERYXLOG');
  expect(await fetchFile({ name: name(3), path: target }, archive, { signal })).toBe(true);
  expect(readFileSync(target).equals(readFileSync(path.join(wal, name(3))))).toBe(true);
  expect((await verifyArchive(archive, options())).damaged).toEqual([]);
});

it('does not take a cluster that it cannot look at for none', async () => {
  await push(write(name(2)));
  const global = path.join(folder, 'data', 'global');
  mkdirSync(global);
  const ask = (segment: number) =>
    code(fetchFile({ name: name(segment), path: path.join(wal, 'RECOVERYXLOG') }, archive, { signal }));
  const control = path.join(global, 'pg_control');
  symlinkSync('pg_control', control);
  expect([await ask(2), await ask(9)]).toEqual(['WAL_CLUSTER_UNKNOWN', 'WAL_CLUSTER_UNKNOWN']);
  rmSync(control);
  writeFileSync(control, 'short');
  expect([await ask(2), await ask(9)]).toEqual(['WAL_CLUSTER_UNKNOWN', 'WAL_CLUSTER_UNKNOWN']);
  rmSync(control);
  expect([await ask(2), await ask(9)]).toEqual(['done', 'done']);
});

it('refuses what is no file of a log', async () => {
  await push(write(name(2)));
  const wrong = [
    writeText(name(9), 'short'),
    writeText('notes', 'x'),
    writeText('00000002.history', ''),
    writeText(`${name(2)}.00000028.backup`, 'START WAL LOCATION: cut off'),
    path.join(wal, name(10)),
  ];
  for (const file of wrong) expect(await code(push(file)), file).toBe('WAL_FILE_REFUSED');
  mkdirSync(path.join(wal, name(11)));
  expect(await code(push(path.join(wal, name(11))))).toBe('WAL_FILE_REFUSED');
  expect((await listArchive(archive, signal)).timelines).toMatchObject([{ segments: 1 }]);
});

it('lists, verifies and expires across timelines', async () => {
  for (const segment of [2, 3, 4, 6]) await push(write(name(segment)));
  await push(write(`${name(7)}.partial`));
  for (const segment of [7, 8]) await push(write(name(segment, 2), { timeline: segment === 7 ? 1 : 2 }));
  await push(writeText('00000002.history', '1\t0/708000\tno recovery target specified\n'));
  for (const segment of [2, 6]) {
    await push(writeText(`${name(segment)}.00000028.backup`, 'START WAL LOCATION: 0/2000028 (file x)\n'));
  }
  const listed = await listArchive(archive, signal);
  expect(listed.timelines.map(({ segments, missing }) => [segments, missing])).toEqual([
    [4, 1],
    [2, 0],
  ]);
  expect([listed.backups.length, listed.partials.length, listed.histories.length]).toEqual([2, 1, 1]);
  const verdict = await verifyArchive(archive, options({ isDeep: true }));
  expect(verdict).toMatchObject({
    isWhole: false,
    missing: [{ first: name(5), last: name(5), count: 1 }],
    damaged: [],
  });
  expect((await verifyArchive(archive, options({ from: '0/600000' }))).isWhole).toBe(true);
  expect(await code(verifyArchive(archive, options({ from: 'x' })))).toBe('INVALID_INPUT');

  const expire = (parts: object) =>
    expireArchive(archive, {
      ...{ signal, before: null, keepBackups: null, isDeleting: false, isForced: false, parallelism: 2 },
      ...parts,
    });
  const all = await keys();
  expect((await expire({ keepBackups: 2 })).files).toEqual([]);
  expect((await expire({ keepBackups: 1 })).files.length).toBe(4);
  expect(await keys()).toEqual(all);
  expect(await code(expire({ before: name(7) }))).toBe('WAL_STILL_NEEDED');
  expect(await code(expire({ keepBackups: 3 }))).toBe('INVALID_INPUT');
  expect(await code(expire({}))).toBe('INVALID_INPUT');
  // With segments of 1 MiB there are 4,096 to each number in the middle.
  expect(await code(expire({ before: '000000010000000000001000', isForced: true }))).toBe('INVALID_INPUT');
  expect((await expire({ keepBackups: 1, isDeleting: true })).files).toEqual([
    name(2),
    `${name(2)}.00000028.backup`,
    name(3),
    name(4),
  ]);
  expect((await verifyArchive(archive, options())).isWhole).toBe(true);
  await expire({ before: name(8), isDeleting: true, isForced: true });
  expect((await listArchive(archive, signal)).timelines).toMatchObject([{ first: name(8, 2), segments: 1 }]);
});

it('expires labels before what they need, and counts each once', async () => {
  for (const segment of [2, 3, 4]) await push(write(name(segment)));
  const label = (segment: number) =>
    writeText(`${name(segment)}.00000028.backup`, 'START WAL LOCATION: 0/2 (file x)\n');
  for (const segment of [2, 3, 4]) await push(label(segment));
  const [twice] = await archive.find(parseWalName(path.basename(label(4))) as WalName, signal);
  await storage.put(`${twice?.key}.age`, text('x'), { signal });
  const order: string[] = [];
  const telling: Storage = {
    ...{ put: storage.put, get: storage.get, stat: storage.stat, list: storage.list },
    delete: async (key, abort) => {
      order.push(key.replace(/^.*\/|-.*$/g, ''));
      await storage.delete(key, abort);
    },
  };
  const wish = { signal, before: null, keepBackups: 2, isDeleting: true, isForced: false, parallelism: 2 };
  await expireArchive(new WalArchiveStore(telling, archive.settings), wish);
  expect(order).toEqual([`${name(2)}.00000028.backup`, name(2)]);
});

it('misses the history of a timeline', async () => {
  await push(write(name(7, 2)));
  expect(await verifyArchive(archive, options())).toMatchObject({ damaged: [{ name: '00000002.history' }] });
});

it('is not whole when the beginning of a base backup is lost, or nothing could be read that was to be', async () => {
  for (const segment of [2, 3, 4]) await push(write(name(segment)));
  await push(writeText(`${name(2)}.00000028.backup`, 'START WAL LOCATION: 0/2000028 (file x)\n'));
  const [first] = await archive.find(parseWalName(name(2)) as WalName, signal);
  if (first) await archive.delete(first, signal);
  expect(await verifyArchive(archive, options())).toMatchObject({
    isWhole: false,
    missing: [{ first: name(2), count: 1 }],
  });
  expect((await verifyArchive(archive, options({ from: name(3) }))).isWhole).toBe(true);
  const recipients = ['age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj'];
  archive = new WalArchiveStore(storage, { ...archive.settings, recipients });
  await push(write(name(5)));
  const deep = await verifyArchive(archive, options({ from: name(3), isDeep: true }));
  expect(deep).toMatchObject({ isWhole: false, missing: [], damaged: [], unchecked: [{ name: '1 files' }] });
  expect((await verifyArchive(archive, options({ from: name(3) }))).isWhole).toBe(true);
});

it('has a history that is none', async () => {
  await push(write(name(7)));
  await push(write(name(8, 2)));
  await push(writeText('00000002.history', 'nothing\n'));
  expect(await verifyArchive(archive, options())).toMatchObject({ damaged: [{ name: '00000002.history' }] });
});

function options(parts: { from?: string; isDeep?: boolean } = {}) {
  return { signal, from: parts.from ?? null, isDeep: parts.isDeep ?? false, parallelism: 2 };
}

async function* text(value: string) {
  yield Buffer.from(value);
}
