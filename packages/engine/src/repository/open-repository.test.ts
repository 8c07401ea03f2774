import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '@backupx/contracts/errors';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import { withRetry } from '../storages/decorators/with-retry.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { createMasterKey } from './format/master-key.ts';
import { RESTIC_CONFIG, RESTIC_KEY_FILE } from './format/restic-samples.ts';
import { initRepository } from './init-repository.ts';
import { openRepository, type RepositoryPlace } from './open-repository.ts';

const signal = new AbortController().signal;
const cheap = { N: 16, r: 1, p: 1 };
const options = { password: 'pw', hostname: 'db1', username: 'root', created: '2026-01-01T00:00:00Z', cost: cheap };

async function make(prefix = 'backups/web') {
  const storage = createMemoryStorage();
  const place: RepositoryPlace = { storage, prefix, label: 'the test' };
  const repository = await initRepository(place, options, signal);
  return { storage, place, repository };
}

function damage(storage: ReturnType<typeof createMemoryStorage>, key: string): void {
  const bytes = Uint8Array.from(storage.objects.get(key) ?? []);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  storage.objects.set(key, bytes);
}

const MIB = 1024 * 1024;

/** A key file that asks for so many times 32 MiB of scrypt. */
function askingFor(p: number): Buffer {
  return Buffer.from(RESTIC_KEY_FILE.replace('"p":8', `"p":${p}`));
}

/** Stores something so that it is listed before all else. */
function putFirst(storage: ReturnType<typeof createMemoryStorage>, key: string, bytes: Uint8Array): void {
  const others = [...storage.objects];
  storage.objects.clear();
  for (const [name, content] of [[key, bytes] as const, ...others]) storage.objects.set(name, content);
}

/** Makes an object of a storage endless; answers how many bytes of it were asked for. */
function endless(storage: ReturnType<typeof createMemoryStorage>, key: string): () => number {
  const get = storage.get.bind(storage);
  const chunk = Buffer.alloc(MIB, ' ');
  let pulled = 0;
  storage.objects.set(key, new Uint8Array(1));
  storage.get = (asked, getOptions) => {
    if (asked !== key) return get(asked, getOptions);
    return (async function* () {
      // Far more than the limit, but no test may run for ever.
      for (; pulled < 64 * MIB; pulled += MIB) yield chunk;
    })();
  };
  return () => pulled;
}

/** Sleeps for some turns of the event loop, whatever it is asked for. */
const instantClock: Clock = {
  ...systemClock,
  async sleep() {
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  },
};

/** The storage as somebody sees it for whom each call takes so many turns, before and after it has an effect. */
function slowPlace(storage: ReturnType<typeof createMemoryStorage>, turns: Iterator<number>): RepositoryPlace {
  const pause = async () => {
    for (let turn: number = turns.next().value ?? 0; turn > 0; turn -= 1) await nextTurn();
  };
  const slowly = async <T>(call: () => Promise<T>): Promise<T> => {
    await pause();
    const answer = await call().finally(pause);
    return answer;
  };
  const slow: Storage = {
    ...storage,
    put: (...args) => slowly(() => storage.put(...args)),
    stat: (...args) => slowly(() => storage.stat(...args)),
    delete: (...args) => slowly(() => storage.delete(...args)),
    async *list(...args) {
      yield* await slowly(() => all(storage.list(...args)));
    },
    async *get(...args) {
      yield* await slowly(() => all(storage.get(...args)));
    },
  };
  return { storage: slow, prefix: '', label: 'r' };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const names = async (files: AsyncIterable<{ name: string }>) => {
  const found: string[] = [];
  for await (const { name } of files) found.push(name);
  return found.sort();
};

describe('initRepository', () => {
  it('makes a repository that its password and its master key open', async () => {
    const { place, repository, storage } = await make();
    expect([...storage.objects.keys()].sort()).toEqual([
      'backups/web/config',
      expect.stringMatching(/^backups\/web\/keys\/[0-9a-f]{64}$/),
    ]);
    const byPassword = await openRepository(place, { password: 'pw' }, signal);
    expect(byPassword.config).toEqual(repository.config);
    expect(byPassword.masterKey).toEqual(repository.masterKey);
    expect(`backups/web/keys/${byPassword.keyId}`).toBe(
      [...storage.objects.keys()].find((key) => key.includes('keys')),
    );
    const byKey = await openRepository(place, { masterKey: repository.masterKey }, signal);
    expect(byKey.config).toEqual(byPassword.config);
    expect(byKey.config.version).toBe(2);
    expect(byKey.keyId).toBeNull();
  });

  it('also in the root of a storage, with a given polynomial', async () => {
    const storage = createMemoryStorage();
    const place = { storage, prefix: '', label: 'root' };
    const repository = await initRepository(place, { ...options, polynomial: 0x3da3358b4dc173n }, signal);
    expect(repository.config.chunkerPolynomial).toBe(0x3da3358b4dc173n);
    expect(repository.key('data', 'ab'.repeat(32))).toBe(`data/ab/${'ab'.repeat(32)}`);
    expect(storage.objects.has('config')).toBe(true);
  });

  it('leaves an existing repository alone', async () => {
    const { place, storage } = await make();
    const before = new Map(storage.objects);
    await expect(initRepository(place, options, signal)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    storage.objects.delete('backups/web/config');
    before.delete('backups/web/config');
    await expect(initRepository(place, options, signal)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    expect(storage.objects).toEqual(before);
  });

  it('writes the config last: a failure before it leaves nothing that looks like a repository', async () => {
    const storage = createMemoryStorage();
    const place = { storage, prefix: 'r', label: 'r' };
    const put = storage.put.bind(storage);
    const order: string[] = [];
    storage.put = async (key, body, putOptions) => {
      order.push(key.split('/')[1] ?? '');
      if (key === 'r/config') throw new Error('pulled the plug');
      await put(key, body, putOptions);
    };
    await expect(initRepository(place, options, signal)).rejects.toThrow('pulled the plug');
    expect(order).toEqual(['keys', 'config']);
    await expect(openRepository(place, { password: 'pw' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_NOT_FOUND',
    });
  });

  it('keeps the key of a config that it may write but not read', async () => {
    const storage = createMemoryStorage();
    const place = { storage, prefix: 'r', label: 'r' };
    const get = storage.get.bind(storage);
    storage.get = (key, getOptions) => {
      if (key === 'r/config') throw new AppError('STORAGE_PERMISSION', { reason: 'write only' });
      return get(key, getOptions);
    };
    await expect(initRepository(place, options, signal)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' });
    storage.get = get;
    expect((await openRepository(place, { password: 'pw' }, signal)).keyId).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives way to one that was faster', async () => {
    const { storage, place } = await make('first');
    const put = storage.put.bind(storage);
    const theirs = storage.objects.get('first/config') ?? new Uint8Array();
    storage.put = async (key, body, putOptions) => {
      await put(key, body, putOptions);
      if (key === 'second/config') storage.objects.set(key, theirs);
    };
    await expect(initRepository({ ...place, prefix: 'second' }, options, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_EXISTS',
    });
    expect([...storage.objects.keys()].filter((key) => key.startsWith('second/'))).toEqual(['second/config']);
  });

  it('takes up an attempt that was cut off an hour ago, with the same password', async () => {
    const storage = createMemoryStorage();
    const place = { storage, prefix: 'r', label: 'r' };
    const put = storage.put.bind(storage);
    storage.put = async (key, body, putOptions) => {
      if (key === 'r/config') throw new Error('pulled the plug');
      await put(key, body, putOptions);
    };
    const now = Date.now();
    const created = new Date(now).toISOString();
    await expect(initRepository(place, { ...options, created }, signal)).rejects.toThrow('pulled the plug');
    storage.put = put;
    const keys = [...storage.objects.keys()];
    const at = (minutes: number) => ({ ...systemClock, now: () => new Date(now + minutes * 60_000) });
    const again = (minutes: number, password = 'pw') =>
      initRepository(place, { ...options, password, clock: at(minutes) }, signal);
    await expect(again(55)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    await expect(again(70, 'another')).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    const snapshot = `r/snapshots/${'ab'.repeat(32)}`;
    storage.objects.set(snapshot, Buffer.of(1));
    await expect(again(70)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    storage.objects.delete(snapshot);
    await again(70);
    expect([...storage.objects.keys()].sort()).toEqual(['r/config', ...keys]);
    await openRepository(place, { password: 'pw' }, signal);
  });

  it('takes its key back when it did not come to the config, or the storage took none', async () => {
    for (const { fails, code } of [
      { fails: 'keys', code: 'STORAGE_UNREACHABLE' },
      { fails: 'config', code: 'STORAGE_FULL' },
    ] as const) {
      const storage = createMemoryStorage();
      const put = storage.put.bind(storage);
      storage.put = async (key, body, putOptions) => {
        if (key !== 'config') await put(key, body, putOptions);
        if (key.startsWith(fails)) throw new AppError(code, { reason: 'told to' });
      };
      const place = { storage, prefix: '', label: 'r' };
      await expect(initRepository(place, options, signal)).rejects.toMatchObject({ code });
      expect(storage.objects.size).toBe(0);
    }
  });

  it('is made once by two at the same time, where the later of two writers wins', async () => {
    const when = fc.infiniteStream(fc.integer({ min: 0, max: 6 }));
    await fc.assert(
      fc.asyncProperty(when, when, async (ofFirst, ofSecond) => {
        const storage = createMemoryStorage();
        const attempts = [ofFirst, ofSecond].map((turns, number) =>
          initRepository(
            slowPlace(storage, turns),
            { ...options, password: `of ${number}`, clock: instantClock },
            signal,
          ),
        );
        const ends = await Promise.allSettled(attempts);
        const winner = ends.findIndex(({ status }) => status === 'fulfilled');
        const loser = ends[1 - winner];
        expect(loser).toMatchObject({ status: 'rejected', reason: { code: 'REPOSITORY_EXISTS' } });
        expect([...storage.objects.keys()].sort()).toEqual(['config', expect.stringMatching(/^keys\/[0-9a-f]{64}$/)]);
        const place = { storage, prefix: '', label: 'r' };
        await openRepository(place, { password: `of ${winner}` }, signal);
      }),
    );
  });
});

describe('openRepository', () => {
  it('opens what restic made', async () => {
    const storage = createMemoryStorage();
    storage.objects.set('config', Buffer.from(RESTIC_CONFIG, 'hex'));
    storage.objects.set(`keys/${'1f'.repeat(32)}`, Buffer.from(RESTIC_KEY_FILE));
    const place = { storage, prefix: '', label: 'theirs' };
    const repository = await openRepository(place, { password: 'geheim' }, signal);
    expect(repository.config.chunkerPolynomial).toBe(0x329e9779dde479n);
  });

  it('says what is wrong', async () => {
    const { place, storage } = await make();
    const open = (unlock: Parameters<typeof openRepository>[1]) => openRepository(place, unlock, signal);
    await expect(open({ password: 'PW' })).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
    await expect(open({ masterKey: createMasterKey() })).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
    await expect(openRepository({ ...place, prefix: 'elsewhere' }, { password: 'pw' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_NOT_FOUND',
      params: { where: 'the test' },
    });
    damage(storage, 'backups/web/config');
    await expect(open({ password: 'pw' })).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    for (const key of storage.objects.keys()) if (key.includes('/keys/')) storage.objects.delete(key);
    await expect(open({ password: 'pw' })).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  });

  it('gets past the key of an attempt that gave way, also when it has the same password', async () => {
    const { place, storage, repository } = await make();
    const other = await make();
    const [stray = ['', new Uint8Array()]] = [...other.storage.objects].filter(([key]) => key.includes('/keys/'));
    putFirst(storage, ...stray);
    const opened = await openRepository(place, { password: 'pw' }, signal);
    expect(opened.masterKey).toEqual(repository.masterKey);
    expect(stray[0]).not.toContain(opened.keyId);
    damage(storage, 'backups/web/config');
    await expect(openRepository(place, { password: 'pw' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
    });
  });

  it('gets past damaged key files', async () => {
    const { place, storage } = await make();
    storage.objects.set(`backups/web/keys/${'00'.repeat(32)}`, Buffer.from('{"kdf":"scrypt"'));
    const entries = [...storage.objects].reverse();
    storage.objects.clear();
    for (const [key, bytes] of entries) storage.objects.set(key, bytes);
    await expect(openRepository(place, { password: 'pw' }, signal)).resolves.toBeDefined();
    await expect(openRepository(place, { password: 'no' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_PASSWORD',
    });
  });

  it('gets past key files without end, and is stopped by such a config', async () => {
    const { place, storage } = await make();
    const pulled = endless(storage, `backups/web/keys/${'00'.repeat(32)}`);
    await expect(openRepository(place, { password: 'pw' }, signal)).resolves.toBeDefined();
    expect(pulled()).toBeLessThan(3 * MIB);
    const pulledOfConfig = endless(storage, 'backups/web/config');
    await expect(openRepository(place, { password: 'pw' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      params: { reason: 'backups/web/config has more than 1048576 bytes, which is no such file' },
    });
    expect(pulledOfConfig()).toBeLessThan(3 * MIB);
  });

  it('passes over keys that ask for too much work, and says so when nothing opens', async () => {
    const { place, storage } = await make();
    const [good] = [...storage.objects].filter(([key]) => key.includes('/keys/'));
    putFirst(storage, 'backups/web/keys/'.concat('00'.repeat(32)), askingFor(256));
    await expect(openRepository(place, { password: 'pw' }, signal)).resolves.toMatchObject({
      keyId: good?.[0].slice(-64),
    });
    const reason = expect.stringContaining('a key file asks for 8192 MiB of scrypt');
    await expect(openRepository(place, { password: 'no' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_PASSWORD',
      cause: { code: 'REPOSITORY_DAMAGED', params: { reason } },
    });
    storage.objects.delete(good?.[0] ?? '');
    await expect(openRepository(place, { password: 'pw' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      params: { reason },
    });
  });

  it('tries keys that ask for much work last', async () => {
    const { place, storage } = await make();
    const costly = 'backups/web/keys/'.concat('00'.repeat(32));
    putFirst(storage, costly, askingFor(9));
    const get = storage.get.bind(storage);
    let reads = 0;
    storage.get = (key, getOptions) => {
      if (key === costly) reads += 1;
      return get(key, getOptions);
    };
    await openRepository(place, { password: 'pw' }, signal);
    expect(reads).toBe(1);
    // The right key of this file is not the repository's, which shows that it was tried.
    await expect(openRepository(place, { password: 'geheim' }, signal)).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_PASSWORD',
    });
    expect(reads).toBe(3);
  });

  it('is stopped by its signal', async () => {
    const { place } = await make();
    await expect(openRepository(place, { password: 'pw' }, AbortSignal.abort())).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

describe('a repository', () => {
  it('stores files under the sum of their bytes and reads them back', async () => {
    const { repository } = await make();
    const json = Buffer.from(`{"packs":[],"x":"${'long '.repeat(1000)}"}`);
    const name = await repository.saveFile('index', json, signal);
    expect(await names(repository.list('index', signal))).toEqual([name]);
    expect((await repository.readFile('index', name, signal)).equals(json)).toBe(true);
    await repository.removeFile('index', name, signal);
    await repository.removeFile('index', name, signal);
    expect(await names(repository.list('index', signal))).toEqual([]);
  });

  it('tries no more once its lock is lost, however often a storage is tried', async () => {
    const { repository: made, storage, place } = await make();
    const trying = { ...place, storage: withRetry(storage, { attempts: 4, firstDelayMs: 0 }) };
    const repository = await openRepository(trying, { masterKey: made.masterKey }, signal);
    const lost = new AppError('REPOSITORY_LOCK_LOST', { reason: 'others took it' });
    let asked = 0;
    repository.assertLocked = async () => {
      asked += 1;
      if (asked > 1) throw lost;
    };
    await expect(repository.saveFile('index', Buffer.from('{}'), signal)).rejects.toBe(lost);
    expect(asked).toBe(2);
  });

  it('notices damaged, truncated and swapped files', async () => {
    const { repository, storage } = await make();
    const name = await repository.saveFile('snapshots', Buffer.from('{"a":1}'), signal);
    const other = await repository.saveFile('snapshots', Buffer.from('{"b":1}'), signal);
    const key = repository.key('snapshots', name);
    const good = storage.objects.get(key) ?? new Uint8Array();
    const isDamaged = () =>
      expect(repository.readFile('snapshots', name, signal)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    damage(storage, key);
    await isDamaged();
    storage.objects.set(key, good.subarray(1));
    await isDamaged();
    storage.objects.set(key, storage.objects.get(repository.key('snapshots', other)) ?? good);
    await isDamaged();
    storage.objects.set(key, good);
    expect((await repository.readFile('snapshots', name, signal)).toString()).toBe('{"a":1}');
  });

  it('reads once more when a transfer broke', async () => {
    const { repository, storage } = await make();
    const name = await repository.saveFile('index', Buffer.from('{"packs":[]}'), signal);
    const get = storage.get.bind(storage);
    let calls = 0;
    storage.get = (key, getOptions) => {
      calls += 1;
      return get(key, calls === 1 ? { ...getOptions, range: { start: 0, end: 20 } } : getOptions);
    };
    expect((await repository.readFile('index', name, signal)).toString()).toBe('{"packs":[]}');
    expect(calls).toBe(2);
  });

  it('neither reads nor opens a lock of absurd length', async () => {
    const { repository, storage } = await make();
    const long = 'ab'.repeat(32);
    const pulled = endless(storage, repository.key('locks', long));
    await expect(repository.readFile('locks', long, signal)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    expect(pulled()).toBeLessThan(3 * MIB);
    const name = await repository.saveFile('locks', Buffer.from(`{"x":"${' '.repeat(2 * MIB)}"}`), signal);
    await expect(repository.readFile('locks', name, signal)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  });

  it('passes over junk in its folders', async () => {
    const { repository, storage } = await make();
    const id = 'ab'.repeat(32);
    const junk = ['snapshots/.DS_Store', 'snapshots/sub/x', `snapshots/${'AB'.repeat(32)}`, `snapshots/${id}.tmp`];
    const junkData = [`data/${id}`, `data/cd/${id}`, 'data/ab/short', `data/ab/x${id}`, `data/ab/ab/${id}`];
    for (const path of [...junk, ...junkData]) storage.objects.set(`backups/web/${path}`, new Uint8Array(1));
    storage.objects.set(`backups/web/data/ab/${id}`, new Uint8Array(7));
    expect(await names(repository.list('snapshots', signal))).toEqual([]);
    const data: unknown[] = [];
    for await (const file of repository.list('data', signal)) data.push(file);
    expect(data).toEqual([{ name: id, sizeBytes: 7, modifiedAt: null }]);
  });

  it('reads packs whole, in ranges and past their end', async () => {
    const { repository, storage } = await make();
    const id = 'cd'.repeat(32);
    const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, index) => index % 251));
    storage.objects.set(repository.key('data', id), bytes);
    expect((await repository.readPack(id, null, signal)).equals(bytes)).toBe(true);
    const part = await repository.readPack(id, { start: 100, end: 400_000 }, signal);
    expect(part.equals(bytes.subarray(100, 400_000))).toBe(true);
    expect((await repository.readPack(id, { start: 599_990, end: 700_000 }, signal)).byteLength).toBe(10);
    await expect(repository.readPack('ef'.repeat(32), null, signal)).rejects.toMatchObject({
      code: 'STORAGE_NOT_FOUND',
    });
  });
});
