import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { createBlobReader } from './blob-reader.ts';
import { hashOf, toHex } from './format/blob-id.ts';
import { headerSize } from './format/pack-header.ts';
import { compressOnce } from './format/zstd.ts';
import { initRepository } from './init-repository.ts';
import { loadIndex } from './load-index.ts';
import type { Repository } from './open-repository.ts';
import { createPackWriter, PACK_BYTES, type PackWriter, type StoredPack } from './pack-writer.ts';

const signal = new AbortController().signal;
const cost = { N: 1024, r: 8, p: 1 };

async function newRepository() {
  const storage = createMemoryStorage();
  const place = { storage, prefix: 'repo', label: 'memory' };
  const account = { hostname: 'h', username: 'u', created: '2026-01-01T00:00:00Z' };
  return { storage, repository: await initRepository(place, { ...account, password: 'p', cost }, signal) };
}

async function save(writer: PackWriter, repository: Repository, plain: Uint8Array, type: 'data' | 'tree' = 'data') {
  const id = hashOf(plain);
  const frame = compressOnce(plain);
  const isSmaller = type === 'tree' || frame.byteLength < plain.byteLength;
  const sealed = repository.box.seal(isSmaller ? frame : plain);
  await writer.add({ type, id, sealed, plainLength: isSmaller ? plain.byteLength : 0 });
  return id;
}

const files = async (repository: Repository, folder: 'data' | 'index') => {
  const names: string[] = [];
  for await (const { name } of repository.list(folder, signal)) names.push(name);
  return names;
};

describe('pack writer', () => {
  it('stores blobs that are found and read again, data and trees apart', async () => {
    const { repository } = await newRepository();
    const packs: StoredPack[] = [];
    const writer = createPackWriter({
      repository,
      signal,
      clock: createFakeClock(),
      onPackStored: (p) => packs.push(p),
    });
    const blobs = Array.from({ length: 60 }, (_, number) => ({
      type: number % 5 === 0 ? ('tree' as const) : ('data' as const),
      plain: number % 3 === 0 ? Buffer.alloc(500_000 + number, 65) : randomBytes(number * 60_000),
    }));
    for (const { plain, type } of blobs) await save(writer, repository, plain, type);
    await writer.finish();
    const index = await loadIndex(repository, { signal });
    expect(index.count).toBe(60);
    const reader = createBlobReader({ repository, index, signal });
    for (const { plain, type } of blobs) expect((await reader.read(hashOf(plain), type)).equals(plain)).toBe(true);
    for (const { entries, sizeBytes, id } of packs) {
      expect(new Set(entries.map(({ type }) => type)).size).toBe(1);
      expect(sizeBytes).toBe(entries.reduce((sum, entry) => sum + entry.storedLength, headerSize(entries)));
      const bytes = await repository.readPack(id, null, signal);
      expect([bytes.byteLength, toHex(hashOf(bytes))]).toEqual([sizeBytes, id]);
    }
    expect(writer.stats).toMatchObject({ blobs: 60, packs: packs.length });
  });

  it.each(['data', 'tree'] as const)(
    'keeps two packs of %s open, and each blob goes to one of them by chance',
    async (type) => {
      const { repository } = await newRepository();
      const packs: StoredPack[] = [];
      const clock = createFakeClock();
      const writer = createPackWriter({ repository, signal, clock, onPackStored: (pack) => packs.push(pack) });
      const ids: string[] = [];
      for (let number = 0; number < 100; number += 1)
        ids.push(toHex(await save(writer, repository, Buffer.from(`blob ${number}`), type)));
      await writer.finish();
      expect(packs).toHaveLength(2);
      const first = new Set(packs[0]?.entries.map(({ id }) => toHex(id)));
      const places = ids.map((id) => Number(first.has(id)));
      // Neither one after the other nor in turns: that a fair coin does so happens once in 2^80 runs.
      const turns = places.filter((place, at) => at > 0 && place !== places[at - 1]).length;
      expect(turns).toBeGreaterThan(5);
      expect(turns).toBeLessThan(95);
    },
  );

  it('fills packs where blobs are of one type: two open ones fit into its memory', async () => {
    const { repository } = await newRepository();
    const packs: StoredPack[] = [];
    const clock = createFakeClock();
    const writer = createPackWriter({ repository, signal, clock, onPackStored: (pack) => packs.push(pack) });
    for (let number = 0; number < 50; number++) {
      const sealed = randomBytes(1_000_000);
      await writer.add({ type: 'data', id: hashOf(sealed), sealed, plainLength: 1_000_000 });
    }
    await writer.finish();
    // The last two are what was left.
    expect(packs.filter(({ sizeBytes }) => sizeBytes < PACK_BYTES).length).toBeLessThanOrEqual(2);
    expect(packs.length).toBeLessThanOrEqual(4);
  });

  it('holds at most 51 MB: stores the fullest pack when none is full and none on its way', async () => {
    const { repository } = await newRepository();
    const packs: StoredPack[] = [];
    const clock = createFakeClock();
    const writer = createPackWriter({ repository, signal, clock, onPackStored: (pack) => packs.push(pack) });
    let added = 0;
    for (let number = 0; number < 60; number += 1) {
      const sealed = randomBytes(1_000_000);
      const type = number % 2 === 0 ? 'data' : 'tree';
      await writer.add({ type, id: hashOf(sealed), sealed, plainLength: 1_000_000 });
      added += sealed.byteLength;
    }
    // Nothing more is added: what is on its way arrives, and what stays open is within the limit.
    await expect
      .poll(() => added - packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), { timeout: 20_000 })
      .toBeLessThan(51_500_000);
    await writer.finish();
  });

  it('names what was stored after the checkpoint time, so that a killed run is not stored twice', async () => {
    const { repository } = await newRepository();
    const clock = createFakeClock();
    const writer = createPackWriter({ repository, signal, clock, checkpointMs: 60_000 });
    const ids = [];
    for (let number = 0; number < 50; number += 1) {
      ids.push(await save(writer, repository, randomBytes(1_000_000)));
      await clock.advance(5_000);
    }
    // No finish: the run was killed here.
    expect((await files(repository, 'index')).length).toBeGreaterThan(0);
    const index = await loadIndex(repository, { signal });
    expect(index.count).toBeGreaterThan(0);
    const reader = createBlobReader({ repository, index, signal });
    for (const id of ids) if (index.find(id) >= 0) await reader.read(id, 'data');
  });

  it('tells of a failed upload and names what was stored whole', async () => {
    const { repository, storage } = await newRepository();
    const writer = createPackWriter({ repository, signal, clock: createFakeClock() });
    const put = storage.put.bind(storage);
    let packs = 0;
    storage.put = async (key, body, options) => {
      if (key.startsWith('repo/data/') && ++packs > 2) throw new Error('the cable was cut');
      await put(key, body, options);
    };
    const fill = async () => {
      for (let number = 0; number < 200; number += 1) await save(writer, repository, randomBytes(1_000_000));
    };
    await expect(fill()).rejects.toThrow('the cable was cut');
    expect(await writer.rescue(20_000)).toHaveLength(1);
    expect((await loadIndex(repository, { signal })).packCount).toBe(2);
  });

  it('names a pack that was stored when the run was cancelled', async () => {
    const { repository, storage } = await newRepository();
    const abort = new AbortController();
    const writer = createPackWriter({ repository, signal: abort.signal, clock: createFakeClock() });
    const put = storage.put.bind(storage);
    storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (key.startsWith('repo/data/')) abort.abort();
    };
    await save(writer, repository, randomBytes(10));
    await writer.flushPacks();
    expect(await writer.rescue(20_000)).toHaveLength(1);
    expect((await loadIndex(repository, { signal })).packCount).toBe(1);
  });

  it('stores nothing after a rescue, which waits for the index that is being saved', async () => {
    const { repository, storage } = await newRepository();
    const writer = createPackWriter({ repository, signal, clock: createFakeClock() });
    const gate = Promise.withResolvers<void>();
    const put = storage.put.bind(storage);
    storage.put = async (key, body, options) => {
      if (key.startsWith('repo/index/')) await gate.promise;
      await put(key, body, options);
    };
    await save(writer, repository, randomBytes(10));
    await writer.flushPacks();
    const order: string[] = [];
    const saving = writer.saveIndex().then(() => order.push('saved'));
    await save(writer, repository, randomBytes(10));
    await writer.flushPacks();
    const rescuing = writer.rescue(20_000).then(() => order.push('rescued'));
    await expect(save(writer, repository, randomBytes(10))).rejects.toMatchObject({ code: 'CANCELLED' });
    gate.resolve();
    await Promise.all([saving, rescuing]);
    expect(order).toEqual(['saved', 'rescued']);
    expect((await loadIndex(repository, { signal })).packCount).toBe(2);
    await expect(writer.finish()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await files(repository, 'data')).toHaveLength(2);
  });

  it('notices a write that the storage lost', async () => {
    const { repository, storage } = await newRepository();
    const put = storage.put.bind(storage);
    storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (key.startsWith('repo/data/')) await storage.delete(key, signal);
    };
    const writer = createPackWriter({ repository, signal, clock: createFakeClock() });
    await save(writer, repository, randomBytes(10));
    await expect(writer.finish()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(await files(repository, 'index')).toEqual([]);
  });
});

describe('load index', () => {
  it('makes up for files that a garbage collection replaced meanwhile', async () => {
    const { repository } = await newRepository();
    const blobs = Array.from({ length: 8 }, () => randomBytes(100));
    for (const blob of blobs) {
      const writer = createPackWriter({ repository, signal, clock: createFakeClock() });
      await save(writer, repository, blob);
      await writer.finish();
    }
    const names = await files(repository, 'index');
    const { readFile } = repository;
    let isReplaced = false;
    repository.readFile = async (folder, name, readSignal) => {
      if (!isReplaced) {
        isReplaced = true;
        const replaced = names.filter((other) => other !== name).slice(0, 4);
        for (const old of replaced) {
          const json = await readFile.call(repository, 'index', old, signal);
          await repository.saveFile('index', Buffer.concat([json, Buffer.from('\n')]), signal);
          await repository.removeFile('index', old, signal);
        }
      }
      return await readFile.call(repository, folder, name, readSignal);
    };
    const index = await loadIndex(repository, { signal });
    for (const blob of blobs) expect(index.find(hashOf(blob))).toBeGreaterThanOrEqual(0);
  });
});

describe('blob reader', () => {
  it('names the pack and the blob that are damaged, and uses another copy', async () => {
    const { repository, storage } = await newRepository();
    const plain = randomBytes(5000);
    const packs: StoredPack[] = [];
    for (let copy = 0; copy < 2; copy += 1) {
      const writer = createPackWriter({
        repository,
        signal,
        clock: createFakeClock(),
        onPackStored: (p) => packs.push(p),
      });
      await save(writer, repository, plain);
      await writer.finish();
    }
    const index = await loadIndex(repository, { signal });
    const damage = async (pack: StoredPack | undefined) => {
      const key = repository.key('data', pack?.id ?? '');
      const bytes = await repository.readPack(pack?.id ?? '', null, signal);
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      await storage.put(
        key,
        (async function* () {
          yield bytes;
        })(),
        { signal },
      );
    };
    await damage(packs[0]);
    const read = () => createBlobReader({ repository, index, signal }).read(hashOf(plain), 'data');
    expect((await read()).equals(plain)).toBe(true);
    await damage(packs[1]);
    const first = toHex(index.packId(index.packOf(index.find(hashOf(plain)))));
    await expect(read()).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED', message: expect.stringContaining(first) });
    await expect(read()).rejects.toThrow(toHex(hashOf(plain)));
    // A storage that is away is so for all copies.
    const { get } = storage;
    let asked = 0;
    storage.get = async function* () {
      asked += 1;
      yield await Promise.reject(new AppError('STORAGE_UNREACHABLE', { reason: 'away' }));
    };
    await expect(read()).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(asked).toBe(1);
    storage.get = get;
    await storage.delete(repository.key('data', packs[0]?.id ?? ''), signal);
    await storage.delete(repository.key('data', packs[1]?.id ?? ''), signal);
    await expect(read()).rejects.toThrow('is missing');
  });
});
