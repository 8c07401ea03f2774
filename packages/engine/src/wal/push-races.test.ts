/** Servers that archive into one place at the same moment: nothing that was called archived may get lost. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterAll, expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { claimKey } from './archive-keys.ts';
import { pushFile } from './push-file.ts';
import { WalArchiveStore } from './wal-archive-store.ts';
import { parseWalName, segmentName, type WalName } from './wal-names.ts';

const SIZE = 2 ** 20;
const NAME = segmentName(1, 3, SIZE);
const SEEDS = 24;
const folder = mkdtempSync(path.join(tmpdir(), 'backupx-wal-races-'));
const { signal } = new AbortController();
const settings = { prefix: 'p', recipients: [], identities: [], compressionLevel: 1 };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(server: string, { fill, cluster = 42n }: { fill: number; cluster?: bigint }): string {
  const bytes = Buffer.alloc(SIZE, fill);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(3 * SIZE), 8);
  bytes.writeBigUInt64LE(cluster, 24);
  bytes.writeUInt32LE(SIZE, 32);
  mkdirSync(path.join(folder, server), { recursive: true });
  const file = path.join(folder, server, NAME);
  writeFileSync(file, bytes);
  return file;
}

/** The same objects, behind a network that takes its time: each call waits, as the seed has it. */
function slowed(storage: Storage, seed: number): Storage {
  let state = seed * 7919 + 1;
  const wait = async () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    for (let turn = state % 11; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    async put(...args) {
      await wait();
      await storage.put(...args);
      await wait();
    },
    async *get(...args) {
      await wait();
      yield* storage.get(...args);
    },
    stat: (...args) => storage.stat(...args),
    async *list(...args) {
      await wait();
      yield* storage.list(...args);
    },
    async delete(...args) {
      await wait();
      await storage.delete(...args);
    },
    ...(storage.putIfAbsent && {
      async putIfAbsent(...args: Parameters<NonNullable<Storage['putIfAbsent']>>) {
        await wait();
        return (await storage.putIfAbsent?.(...args)) ?? null;
      },
    }),
  };
}

const cannotDecide = (storage: Storage): Storage => ({ ...storage, putIfAbsent: async () => null });

interface Race {
  readonly files: readonly string[];
  readonly seed: number;
  readonly storage: Storage;
}

/** Answers which pushes succeeded. */
async function race({ files, seed, storage }: Race): Promise<boolean[]> {
  return await Promise.all(
    files.map(async (file, index) => {
      const archive = new WalArchiveStore(slowed(storage, seed * 10 + index), settings);
      return await pushFile(file, archive, { signal }).then(
        () => true,
        (error) => {
          if (!/WAL_CONFLICT|WAL_OTHER_CLUSTER/.test(error.code)) throw error;
          return false;
        },
      );
    }),
  );
}

/** Checksums of what the archive has of the segment. */
async function stored(storage: Storage): Promise<Set<string>> {
  const found = await new WalArchiveStore(storage, settings).find(parseWalName(NAME) as WalName, signal);
  return new Set(found.map(({ sha256 }) => sha256));
}

const sumOfFile = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

async function sumOf(file: string): Promise<string> {
  const alone = createMemoryStorage();
  await pushFile(file, new WalArchiveStore(alone, settings), { signal });
  return [...(await stored(alone))][0] ?? '';
}

it.each([
  ['a storage that decides who is first', createMemoryStorage, 1],
  ['one that cannot', () => cannotDecide(createMemoryStorage()), 2],
])('keeps what it called archived, with two of one content and one of another, on %s', async (_, create, most) => {
  const files = [write('a', { fill: 1 }), write('b', { fill: 1 }), write('c', { fill: 2 })];
  const sums = await Promise.all(files.map(sumOf));
  for (let seed = 0; seed < SEEDS; seed++) {
    const storage = create();
    const isDone = await race({ files, seed, storage });
    const found = await stored(storage);
    for (const [index, sum] of sums.entries()) {
      if (isDone[index]) expect([...found], `seed ${seed}`).toContain(sum);
    }
    expect(found.size).toBeLessThanOrEqual(most);
    // On a storage that decides somebody always wins.
    if (most === 1) expect(isDone, `seed ${seed}`).toContain(true);
  }
});

it('is the archive of one cluster, with two servers of one and one of another', async () => {
  const files = [write('d', { fill: 1 }), write('e', { fill: 1 }), write('f', { fill: 2, cluster: 43n })];
  for (let seed = 0; seed < SEEDS; seed++) {
    const storage = createMemoryStorage();
    const isDone = await race({ files, seed, storage });
    expect(isDone[2], `seed ${seed}`).toBe(!(isDone[0] && isDone[1]));
    expect((await new WalArchiveStore(storage, settings).clusters(signal)).length).toBe(1);
    expect([...storage.objects.keys()].filter((key) => key.includes('/claim/'))).toEqual([]);
  }
});

it('never loses both of two unfinished segments that replace each other at the same moment', async () => {
  const recipients = ['age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj'];
  const unfinished = (server: string, length: number) => {
    const file = write(server, { fill: 1 });
    writeFileSync(`${file}.partial`, readFileSync(file).fill(0, length));
    return `${file}.partial`;
  };
  const files = [unfinished('i', 300_000), unfinished('j', 600_000)];
  for (const isReadable of [false, true]) {
    for (let seed = 0; seed < SEEDS / 3; seed++) {
      const storage = createMemoryStorage();
      const stores = [0, 1].map(
        (index) =>
          new WalArchiveStore(slowed(storage, seed * 10 + index), {
            ...settings,
            recipients: isReadable ? [] : recipients,
          }),
      );
      const pushed = files.map((file, index) =>
        pushFile(file, stores[index] as WalArchiveStore, { signal, isReplacing: true }),
      );
      await Promise.all(pushed);
      const found = [...storage.objects.keys()].filter((key) => key.includes('.partial-'));
      expect(found.length, `seed ${seed}`).toBeGreaterThan(0);
      if (isReadable)
        expect(
          found.some((key) => key.includes(sumOfFile(files[1] ?? ''))),
          `seed ${seed}`,
        ).toBe(true);
      // Whoever comes next clears up.
      await pushFile(unfinished('k', 900_000), stores[0] as WalArchiveStore, { signal, isReplacing: true });
      expect([...storage.objects.keys()].filter((key) => key.includes('.partial-')).length).toBe(1);
    }
  }
});

it('needs no right to delete', async () => {
  const storage = createMemoryStorage();
  const refusing: Storage = {
    ...storage,
    delete: async () => {
      throw new AppError('STORAGE_PERMISSION', { reason: 'AccessDenied', key: 'x' });
    },
  };
  const archive = new WalArchiveStore(refusing, settings);
  const file = write('l', { fill: 1 });
  expect(await pushFile(file, archive, { signal })).toBeGreaterThan(0);
  expect(await pushFile(file, archive, { signal })).toBe(0);
  const other = pushFile(write('m', { fill: 2, cluster: 43n }), archive, { signal });
  await expect(other).rejects.toMatchObject({ code: 'WAL_OTHER_CLUSTER' });
});

it('goes on after a push that was killed, and leaves the name to it', async () => {
  const storage = createMemoryStorage();
  const [mine, other] = [write('g', { fill: 1 }), write('h', { fill: 2 })];
  const archive = new WalArchiveStore(storage, settings);
  await archive.take(parseWalName(NAME) as WalName, await sumOf(mine), signal);
  await expect(pushFile(other, archive, { signal })).rejects.toMatchObject({
    code: 'WAL_CONFLICT',
    message: expect.stringContaining(claimKey('p', NAME)),
  });
  expect((await stored(storage)).size).toBe(0);
  expect(await pushFile(mine, archive, { signal })).toBeGreaterThan(0);
  expect([...(await stored(storage))]).toEqual([await sumOf(mine)]);
  expect(storage.objects.has(claimKey('p', NAME))).toBe(false);
});
