import { AppError } from '@backupx/contracts/errors';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeClock, type FakeClock } from '../testing/fake-clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { type LockFile, packLock, parseLock } from './format/lock-file.ts';
import { initRepository } from './init-repository.ts';
import { type AcquireLockOptions, acquireLock, type HeldLock, leaseOf, listLocks, removeStaleLocks } from './locks.ts';
import { removePacks } from './maintenance/remove-packs.ts';
import { openRepository, type Repository } from './open-repository.ts';

const signal = new AbortController().signal;
const MINUTE = 60_000;
const owner = { hostname: 'db1', username: 'root', pid: 812, uid: 0, gid: 0 };

interface Scene {
  readonly storage: MemoryStorage;
  readonly clock: FakeClock;
  readonly repository: Repository;
  /** Moves the clock of the storage, which stamps its objects. */
  skewMs: number;
  acquire(options?: Partial<AcquireLockOptions>): Promise<HeldLock>;
  locks(): string[];
}

const held: HeldLock[] = [];
afterEach(async () => {
  await Promise.all(held.splice(0).map((lock) => lock.release()));
});

async function createScene(): Promise<Scene> {
  const storage = createMemoryStorage();
  const clock = createFakeClock();
  const place = { storage, prefix: 'r', label: 'r' };
  const created = await initRepository(
    place,
    { password: 'x', hostname: '', username: '', created: '2026-01-01T00:00:00Z', cost: { N: 2, r: 1, p: 1 } },
    signal,
  );
  const scene: Scene = {
    storage,
    clock,
    repository: await openRepository(place, { masterKey: created.masterKey }, signal),
    skewMs: 0,
    async acquire(options = {}) {
      const taking = acquireLock(scene.repository, {
        ...{ exclusive: false, owner, signal, clock, isAlive: () => true },
        onLost: (error) => {
          throw error;
        },
        ...options,
      });
      taking.catch(() => {});
      await clock.advance(200);
      const lock = await taking;
      held.push(lock);
      return lock;
    },
    locks: () => [...storage.objects.keys()].filter((key) => key.startsWith('r/locks/')),
  };
  stampWithClock(scene);
  return scene;
}

/** The storage tells times by the fake clock. */
function stampWithClock(scene: Scene): void {
  const { storage, clock } = scene;
  const times = new Map<string, Date>();
  const { put, list } = storage;
  storage.put = async (key, body, options) => {
    await put(key, body, options);
    times.set(key, new Date(clock.now().getTime() + scene.skewMs));
  };
  storage.list = async function* (prefix, listSignal) {
    for await (const object of list(prefix, listSignal)) yield { ...object, modifiedAt: times.get(object.key) ?? null };
  };
}

function plant(scene: Scene, lock: Partial<LockFile> = {}): Promise<string> {
  const file = { time: scene.clock.now().toISOString(), exclusive: false, ...owner, ...lock };
  return scene.repository.saveFile('locks', packLock(file), signal);
}

const isLocked = (holder: unknown) => ({ code: 'REPOSITORY_LOCKED', params: { holder } });

describe('acquireLock', () => {
  it('writes a lock that restic understands and takes it away again', async () => {
    const scene = await createScene();
    const lock = await scene.acquire({ exclusive: true, owner: { ...owner, uid: 7 } });
    const json = await scene.repository.readFile('locks', lock.id, signal);
    expect(json.toString()).toBe(
      '{"time":"2026-01-01T00:00:00.000Z","exclusive":true,"hostname":"db1","username":"root","pid":812,"uid":7}',
    );
    await lock.release();
    expect(scene.locks()).toEqual([]);
  });

  it('lets shared locks stand side by side and keeps exclusive ones apart', async () => {
    const scene = await createScene();
    await scene.acquire();
    await scene.acquire();
    await expect(scene.acquire({ exclusive: true })).rejects.toMatchObject(
      isLocked('lock of root@db1 (pid 812), 0 minutes old'),
    );
    expect(scene.locks()).toHaveLength(2);
  });

  it('names who holds the exclusive lock', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true });
    await scene.clock.advance(3 * MINUTE);
    await expect(scene.acquire()).rejects.toMatchObject(
      isLocked('exclusive lock of root@db1 (pid 812), 3 minutes old'),
    );
    expect(scene.locks()).toHaveLength(1);
  });

  it('gives way when somebody locks at the same moment', async () => {
    const scene = await createScene();
    const taking = scene.acquire({ exclusive: true });
    taking.catch(() => {});
    await scene.repository.saveFile(
      'locks',
      packLock({ time: scene.clock.now().toISOString(), exclusive: false, ...owner, hostname: 'late' }),
      signal,
    );
    await expect(taking).rejects.toMatchObject(isLocked(expect.stringContaining('late')));
    expect(scene.locks()).toHaveLength(1);
  });

  it('of two that lock at the same moment at most one wins', async () => {
    const scene = await createScene();
    const taking = [1, 2].map(() =>
      acquireLock(scene.repository, {
        ...{ exclusive: true, owner, signal, clock: scene.clock, isAlive: () => true, onLost() {} },
      }),
    );
    const results = Promise.allSettled(taking);
    await scene.clock.advance(1000);
    const won = (await results).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    held.push(...won);
    expect(won.length).toBeLessThanOrEqual(1);
    expect(scene.locks()).toHaveLength(won.length);
  });

  it('removes stale locks it meets, and only those', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true, hostname: 'dead' });
    await scene.clock.advance(29 * MINUTE);
    await expect(scene.acquire()).rejects.toMatchObject(isLocked(expect.stringContaining('dead')));
    await scene.clock.advance(2 * MINUTE);
    const young = await plant(scene, { hostname: 'young' });
    const lock = await scene.acquire();
    expect(scene.locks().sort()).toEqual([`r/locks/${young}`, `r/locks/${lock.id}`].sort());
  });

  it('takes the lock of a dead process of this host, not of another', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true, hostname: 'other' });
    await expect(scene.acquire({ isAlive: () => false })).rejects.toMatchObject(isLocked(expect.any(String)));
    const here = await createScene();
    await plant(here, { exclusive: true });
    await here.acquire({ exclusive: true, isAlive: (pid) => pid !== 812 });
    expect(here.locks()).toHaveLength(1);
  });

  it('knows by itself whether a process lives', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true, pid: process.ppid });
    await expect(scene.acquire({ isAlive: undefined })).rejects.toMatchObject(isLocked(expect.any(String)));
    const dead = await createScene();
    await plant(dead, { exclusive: true, pid: 2 ** 30 });
    await dead.acquire({ isAlive: undefined });
    // The number is ours, but we had not started yet: somebody before us in the same container.
    const reborn = await createScene();
    await plant(reborn, { exclusive: true, pid: process.pid });
    await reborn.acquire({ isAlive: undefined });
  });

  it('does not take its own locks for those of a dead process when the clock was set back', async () => {
    const scene = await createScene();
    vi.useFakeTimers({ toFake: ['Date'], now: performance.timeOrigin - 60 * MINUTE });
    try {
      await plant(scene, { exclusive: true, pid: process.pid, time: new Date().toISOString() });
      await expect(scene.acquire({ isAlive: undefined })).rejects.toMatchObject(isLocked(expect.any(String)));
    } finally {
      vi.useRealTimers();
    }
  });

  it('believes no single clock', async () => {
    // The holder's clock is an hour slow: its file is new.
    const slow = await createScene();
    await plant(slow, { exclusive: true, time: '2025-12-31T23:00:00Z' });
    await expect(slow.acquire()).rejects.toMatchObject(isLocked(expect.any(String)));
    // Our own clock is an hour fast: both times look old, but our own new file looks as old as theirs.
    const fast = await createScene();
    fast.skewMs = -60 * MINUTE;
    await plant(fast, { exclusive: true, time: '2025-12-31T23:00:00Z' });
    await expect(fast.acquire()).rejects.toMatchObject(isLocked(expect.any(String)));
    expect(fast.locks()).toHaveLength(1);
  });

  it('minds what it cannot read, but not what is empty or junk', async () => {
    const scene = await createScene();
    scene.storage.objects.set(`r/locks/${'00'.repeat(32)}`, new Uint8Array(0));
    scene.storage.objects.set('r/locks/.nfs0001', new Uint8Array(5));
    const lock = await scene.acquire({ exclusive: true });
    await lock.release();
    scene.storage.objects.set(`r/locks/${'11'.repeat(32)}`, new Uint8Array(100));
    await expect(scene.acquire()).rejects.toMatchObject(isLocked(expect.stringContaining('cannot be read')));
  });

  it('lets a lease pass the sweeper, and nobody else', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true, username: 'backupx-sweep' });
    await expect(scene.acquire()).rejects.toMatchObject(isLocked(expect.any(String)));
    const lock = await scene.acquire({ leaseId: 42 });
    const written = parseLock(await scene.repository.readFile('locks', lock.id, signal));
    expect(written.username).toBe('backupx-lease-42');
    expect(leaseOf(written, '')).toBe(42);
    expect(leaseOf({ username: 'backupx-lease-4x' }, '')).toBe(0);
    const sweeper = { exclusive: true, ignore: (other: LockFile) => leaseOf(other, '') >= 42 };
    await expect(scene.acquire(sweeper)).rejects.toMatchObject(isLocked(expect.stringContaining('backupx-sweep')));
    const older = await createScene();
    await older.acquire({ leaseId: 42 });
    await older.acquire(sweeper);
    await expect(older.acquire({ ...sweeper, ignore: (other) => leaseOf(other, '') > 42 })).rejects.toMatchObject(
      isLocked(expect.stringContaining('backupx-lease-42')),
    );
  });

  it('does not take the leases and the sweeper of another master for its own', async () => {
    const scene = await createScene();
    await plant(scene, { exclusive: true, username: 'backupx-sweep-aaar1' });
    await expect(scene.acquire({ leaseId: 42, leaseScope: 'bbbr1' })).rejects.toMatchObject(
      isLocked(expect.any(String)),
    );
    const lock = await scene.acquire({ leaseId: 42, leaseScope: 'aaar1' });
    const written = parseLock(await scene.repository.readFile('locks', lock.id, signal));
    expect(written.username).toBe('backupx-lease-aaar1-42');
    expect([leaseOf(written, 'aaar1'), leaseOf(written, 'bbbr1'), leaseOf(written, '')]).toEqual([42, 0, 0]);
  });

  it('leaves nothing behind when it is cancelled', async () => {
    const scene = await createScene();
    const abort = new AbortController();
    const taking = scene.acquire({ signal: abort.signal });
    abort.abort();
    await expect(taking).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(scene.locks()).toEqual([]);
  });

  it('leaves nothing behind when the answer to its write is lost', async () => {
    const scene = await createScene();
    const { put } = scene.storage;
    scene.storage.put = async (key, body, options) => {
      await put(key, body, options);
      throw new AppError('STORAGE_UNREACHABLE', { reason: 'connection reset' });
    };
    await expect(scene.acquire()).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(scene.locks()).toEqual([]);
  });

  it('reads few locks at a time, and none that is too large for one', async () => {
    const scene = await createScene();
    const huge = '22'.repeat(32);
    scene.storage.objects.set(`r/locks/${huge}`, new Uint8Array(100_000));
    for (let pid = 1; pid <= 40; pid += 1) await plant(scene, { pid });
    const { get } = scene.storage;
    let [open, most] = [0, 0];
    scene.storage.get = async function* (key, options) {
      expect(key).not.toContain(huge);
      open += 1;
      most = Math.max(most, open);
      try {
        yield* get(key, options);
      } finally {
        open -= 1;
      }
    };
    const locks = await listLocks(scene.repository, signal);
    expect(locks).toHaveLength(41);
    expect(locks.find(({ id }) => id === huge)?.lock).toBeNull();
    expect(most).toBeLessThanOrEqual(8);
  });

  it('does not work with a storage that loses its lock', async () => {
    const scene = await createScene();
    const { put } = scene.storage;
    scene.storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (key.startsWith('r/locks/')) scene.storage.objects.delete(key);
    };
    await expect(scene.acquire()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('a held lock', () => {
  it('is refreshed every five minutes, new file first', async () => {
    const scene = await createScene();
    const lock = await scene.acquire();
    const first = lock.id;
    const seen: number[] = [];
    const remove = scene.storage.delete.bind(scene.storage);
    scene.storage.delete = async (key, deleteSignal) => {
      seen.push(scene.locks().length);
      await remove(key, deleteSignal);
    };
    await scene.clock.advance(5 * MINUTE);
    expect(lock.id).not.toBe(first);
    expect(scene.locks()).toEqual([`r/locks/${lock.id}`]);
    await scene.clock.advance(60 * MINUTE);
    expect(seen).toEqual(Array(13).fill(2));
    const [stored] = await listLocks(scene.repository, signal);
    expect(stored?.lock?.time).toBe('2026-01-01T01:05:00.000Z');
    await lock.release();
    expect(scene.locks()).toEqual([]);
    expect(scene.clock.sleeping).toBe(0);
  });

  it('survives a storage that fails for a while', async () => {
    const scene = await createScene();
    const lost: AppError[] = [];
    const lock = await scene.acquire({ onLost: (error) => lost.push(error) });
    scene.storage.knobs.failPuts = 17;
    await scene.clock.advance(21 * MINUTE);
    expect(scene.storage.knobs.failPuts).toBe(0);
    await scene.clock.advance(2 * MINUTE);
    expect(lost).toEqual([]);
    expect(scene.locks()).toEqual([`r/locks/${lock.id}`]);
  });

  it('is lost after 22.5 minutes without a refresh', async () => {
    const scene = await createScene();
    const lost: string[] = [];
    await scene.acquire({ onLost: (error) => lost.push(error.code, error.message) });
    scene.storage.knobs.failPuts = 1000;
    await scene.clock.advance(22.4 * MINUTE);
    expect(lost).toEqual([]);
    await scene.clock.advance(0.2 * MINUTE);
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST', expect.stringContaining('told to fail')]);
    await scene.clock.advance(60 * MINUTE);
    expect(lost).toHaveLength(2);
    expect(scene.clock.sleeping).toBe(0);
  });

  it('is lost also when the storage hangs, and can be released then', async () => {
    const scene = await createScene();
    const lost: string[] = [];
    const lock = await scene.acquire({ onLost: (error) => lost.push(error.code) });
    scene.storage.put = () => new Promise(() => {});
    await scene.clock.advance(22.6 * MINUTE);
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
    const releasing = lock.release();
    await scene.clock.advance(MINUTE);
    await releasing;
    expect(scene.locks()).toEqual([]);
  });

  it('goes on after a sleep of the machine if nobody took it for dead', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    jumpMs = 8 * 60 * MINUTE;
    await scene.clock.advance(5 * MINUTE);
    expect(lost).toEqual([]);
    expect(scene.locks()).toEqual([`r/locks/${lock.id}`]);
    jumpMs *= 2;
    await scene.repository.removeFile('locks', lock.id, signal);
    await scene.clock.advance(5 * MINUTE);
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
  });

  it('lets nothing be named after a sleep of the machine in which others took it for dead', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const save = () => scene.repository.saveFile('index', Buffer.from('{}'), signal);
    jumpMs = 40 * MINUTE;
    await save();
    expect(lost).toEqual([]);
    jumpMs *= 2;
    await scene.repository.removeFile('locks', lock.id, signal);
    const files = scene.storage.objects.size;
    await expect(save()).rejects.toMatchObject({ code: 'REPOSITORY_LOCK_LOST' });
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
    expect(scene.storage.objects.size).toBe(files);
  });

  it('is not taken for lost when two ask for it at once after such a sleep', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.message) });
    const { list, delete: remove } = scene.storage;
    const removed = Promise.withResolvers<void>();
    let lists = 0;
    // The second looks before the first has written, and answers when that has removed the old file.
    scene.storage.list = async function* (prefix, listSignal) {
      const isLate = prefix.startsWith('r/locks') && ++lists === 2;
      for await (const object of list(prefix, listSignal)) {
        if (isLate) await removed.promise;
        yield object;
      }
    };
    scene.storage.delete = async (key, deleteSignal) => {
      await remove(key, deleteSignal);
      removed.resolve();
    };
    jumpMs = 40 * MINUTE;
    await Promise.all(
      ['{"a":1}', '{"b":1}'].map((text) => scene.repository.saveFile('index', Buffer.from(text), signal)),
    );
    expect(lost).toEqual([]);
    expect(scene.locks()).toEqual([`r/locks/${lock.id}`]);
  });

  it.each([
    ['', 0],
    ['after one', 40 * MINUTE],
  ])('is lost with a sleep while it was renewed %s, if others took it for dead', async (_, sleptMs) => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const { put } = scene.storage;
    let asleep: 'no' | 'alone' | 'others' = 'no';
    scene.storage.put = async (key, body, options) => {
      const is = asleep;
      asleep = 'no';
      if (is !== 'no') jumpMs += 40 * MINUTE;
      if (is === 'others') for (const old of scene.locks()) scene.storage.objects.delete(old);
      await put(key, body, options);
    };
    jumpMs += sleptMs;
    asleep = 'alone';
    await scene.clock.advance(5 * MINUTE);
    expect([asleep, lost]).toEqual(['no', []]);
    expect(scene.locks()).toHaveLength(1);
    jumpMs += sleptMs;
    asleep = 'others';
    await scene.clock.advance(5 * MINUTE);
    expect([asleep, lost]).toEqual(['no', ['REPOSITORY_LOCK_LOST']]);
  });

  it('lets nothing be named by a try that comes after such a sleep, when the first came before it', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const { put } = scene.storage;
    // As a storage that is waited for: each try reads the bytes anew.
    scene.storage.put = async (key, body, options) => {
      if (key.startsWith('r/index/')) {
        for await (const _ of body);
        jumpMs = 80 * MINUTE;
        await scene.repository.removeFile('locks', lock.id, signal);
      }
      await put(key, body, options);
    };
    const saving = scene.repository.saveFile('index', Buffer.from('{}'), signal);
    await expect(saving).rejects.toMatchObject({ code: 'REPOSITORY_LOCK_LOST' });
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
    expect([...scene.storage.objects.keys()].filter((key) => key.startsWith('r/index/'))).toEqual([]);
  });

  it('lets nothing be removed after a sleep of the machine in which others took it for dead', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const { repository, storage } = scene;
    const folders = ['snapshots', 'index', 'data'] as const;
    const names = ['aa'.repeat(32), 'bb'.repeat(32)] as const;
    for (const folder of folders)
      for (const name of names) storage.objects.set(repository.key(folder, name), new Uint8Array(1));
    const remove = async (name: string) => [
      ...(await Promise.allSettled(folders.map((folder) => repository.removeFile(folder, name, signal)))),
      ...(await Promise.allSettled([removePacks({ repository, signal, clock }, [name])])),
    ];
    jumpMs = 40 * MINUTE;
    expect(await remove(names[0])).toMatchObject(Array(4).fill({ status: 'fulfilled' }));
    expect(lost).toEqual([]);
    jumpMs *= 2;
    await repository.removeFile('locks', lock.id, signal);
    expect(await remove(names[1])).toMatchObject(
      Array(4).fill({ status: 'rejected', reason: { code: 'REPOSITORY_LOCK_LOST' } }),
    );
    expect(new Set(lost)).toEqual(new Set(['REPOSITORY_LOCK_LOST']));
    const left = folders.map((folder) => repository.key(folder, names[1]));
    expect([...storage.objects.keys()]).toEqual(expect.arrayContaining(left));
    // A key is removed under no lock.
    await repository.removeFile('keys', names[1], signal);
  });

  it.each(['index', 'snapshots'] as const)('is asked for again when one of the %s was stored', async (folder) => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const { put } = scene.storage;
    let isTaken = false;
    scene.storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (!key.startsWith(`r/${folder}/`)) return;
      jumpMs += 40 * MINUTE;
      if (isTaken) scene.storage.objects.delete(`r/locks/${lock.id}`);
    };
    const stored = () => [...scene.storage.objects.keys()].filter((key) => key.startsWith(`r/${folder}/`));
    await scene.repository.saveFile(folder, Buffer.from('{}'), signal);
    expect([stored().length, lost]).toEqual([1, []]);
    isTaken = true;
    const saving = scene.repository.saveFile(folder, Buffer.from('{}'), signal);
    await expect(saving).rejects.toMatchObject({ code: 'REPOSITORY_LOCK_LOST' });
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
    // The snapshot may need what is gone; of the index others may have made use by now.
    expect(stored()).toHaveLength(folder === 'index' ? 2 : 1);
  });

  it.each([true, false])(
    'takes an index back that came when it was lost, if a pack in it is gone: %s',
    async (isGone) => {
      const scene = await createScene();
      let jumpMs = 0;
      const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
      const lock = await scene.acquire({ clock, onLost: () => {} });
      const { repository, storage } = scene;
      const [there, gone] = ['aa'.repeat(32), 'bb'.repeat(32)] as const;
      for (const pack of isGone ? [there] : [there, gone])
        storage.objects.set(repository.key('data', pack), new Uint8Array(1));
      const { put } = storage;
      storage.put = async (key, body, options) => {
        await put(key, body, options);
        if (!key.startsWith('r/index/')) return;
        jumpMs += 40 * MINUTE;
        storage.objects.delete(`r/locks/${lock.id}`);
      };
      const saving = repository.saveFile('index', Buffer.from('{}'), signal, [there, gone]);
      await expect(saving).rejects.toMatchObject({ code: 'REPOSITORY_LOCK_LOST' });
      expect([...storage.objects.keys()].some((key) => key.startsWith('r/index/'))).toBe(!isGone);
    },
  );

  it('is looked for no longer than somebody waits for the work', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    const lock = await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const asked = Promise.withResolvers<void>();
    scene.storage.list = async function* () {
      asked.resolve();
      yield await new Promise<never>(() => {});
    };
    jumpMs = 40 * MINUTE;
    const abort = new AbortController();
    const saving = scene.repository.saveFile('index', Buffer.from('{}'), abort.signal);
    const outcome = expect(saving).rejects.toMatchObject({ code: 'CANCELLED' });
    await asked.promise;
    abort.abort();
    await outcome;
    await lock.release();
    // A cancel is no loss.
    expect(lost).toEqual([]);
  });

  it('stays lost, and says so once, although a file that was written meanwhile is there', async () => {
    const scene = await createScene();
    let jumpMs = 0;
    const clock = { ...scene.clock, now: () => new Date(scene.clock.now().getTime() + jumpMs) };
    const lost: string[] = [];
    await scene.acquire({ clock, onLost: (error) => lost.push(error.code) });
    const { put } = scene.storage;
    scene.storage.put = async (key, body, options) => {
      scene.storage.put = put;
      // While the first writes: others take the old one away.
      for (const old of scene.locks()) scene.storage.objects.delete(old);
      jumpMs += 40 * MINUTE;
      await put(key, body, options);
    };
    jumpMs = 40 * MINUTE;
    const removing = ['aa', 'bb'].map((name) => scene.repository.removeFile('data', name.repeat(32), signal));
    expect(await Promise.allSettled(removing)).toMatchObject(
      Array(2).fill({ status: 'rejected', reason: { code: 'REPOSITORY_LOCK_LOST' } }),
    );
    expect(lost).toEqual(['REPOSITORY_LOCK_LOST']);
  });

  it('tries again to remove a file it could not remove', async () => {
    const scene = await createScene();
    const lock = await scene.acquire();
    const remove = scene.storage.delete.bind(scene.storage);
    let failures = 1;
    scene.storage.delete = async (key, deleteSignal) => {
      if (failures-- > 0) throw new AppError('STORAGE_FAILED', { reason: 'no' });
      await remove(key, deleteSignal);
    };
    await scene.clock.advance(5 * MINUTE);
    expect(scene.locks()).toHaveLength(2);
    await scene.clock.advance(5 * MINUTE);
    expect(scene.locks()).toEqual([`r/locks/${lock.id}`]);
  });
});

describe('removeStaleLocks', () => {
  it('says what it removed and why, and what it left', async () => {
    const scene = await createScene();
    const old = await plant(scene, { hostname: 'old' });
    await scene.clock.advance(40 * MINUTE);
    const gone = await plant(scene, { exclusive: true });
    const alive = await plant(scene, { hostname: 'elsewhere' });
    const judge = { clock: scene.clock, hostname: 'db1', isAlive: () => false, signal };
    const result = await removeStaleLocks(scene.repository, { ...judge, all: false });
    expect(result.removed).toHaveLength(2);
    expect(result.removed).toContainEqual({
      id: old,
      holder: 'lock of root@old (pid 812), 40 minutes old',
      reason: 'not refreshed for 40 minutes',
    });
    expect(result.removed).toContainEqual({
      id: gone,
      holder: 'exclusive lock of root@db1 (pid 812), 0 minutes old',
      reason: 'its process 812 is gone',
    });
    expect(result.left).toEqual([{ id: alive, holder: 'lock of root@elsewhere (pid 812), 0 minutes old' }]);
    scene.storage.objects.set(`r/locks/${'00'.repeat(32)}`, new Uint8Array(0));
    scene.storage.objects.set(`r/locks/${'11'.repeat(32)}`, new Uint8Array(9));
    const all = await removeStaleLocks(scene.repository, { ...judge, all: true });
    expect(all.removed.map((lock) => lock.id).sort()).toEqual(['00'.repeat(32), '11'.repeat(32), alive].sort());
    expect(all.left).toEqual([]);
    expect(scene.locks()).toEqual([]);
  });

  it('leaves living locks alone when its own clock is fast, and leaves nothing behind', async () => {
    const scene = await createScene();
    scene.skewMs = -60 * MINUTE;
    const living = await plant(scene, { hostname: 'elsewhere', time: '2025-12-31T23:00:00Z' });
    const judge = { clock: scene.clock, hostname: 'db1', isAlive: () => true, signal };
    const result = await removeStaleLocks(scene.repository, { ...judge, all: false });
    expect(result).toMatchObject({ removed: [], left: [{ id: living }] });
    expect(scene.locks()).toEqual([`r/locks/${living}`]);
    await scene.clock.advance(40 * MINUTE);
    expect((await removeStaleLocks(scene.repository, { ...judge, all: false })).removed).toMatchObject([
      { id: living },
    ]);
    expect(scene.locks()).toEqual([]);
  });
});
