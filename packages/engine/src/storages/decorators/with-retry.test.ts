import { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { replayable, type Storage, type StoredObject } from '../../ports/storage.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { storageConformance } from '../../testing/storage-conformance.ts';
import { withRetry } from './with-retry.ts';

storageConformance(
  'with-retry',
  async () => ({
    storage: withRetry(createMemoryStorage(), { attempts: 3 }),
    cleanup: async () => {},
  }),
  { isInMemory: true },
);

describe('withRetry', () => {
  it('repeats reads into memory, and offers them only where they are offered', async () => {
    expect(withRetry(createMemoryStorage(), { attempts: 3 }).readInto).toBeUndefined();
    let calls = 0;
    const storage: Storage = {
      ...createMemoryStorage(),
      async readInto() {
        calls += 1;
        if (calls < 3) throw new AppError('STORAGE_UNREACHABLE', { reason: 'not yet' });
        return 7;
      },
    };
    const repeating = withRetry(storage, { attempts: 3, firstDelayMs: 0 });
    expect(await repeating.readInto?.('a', new Uint8Array(9), { signal, start: 0 })).toBe(7);
  });

  const signal = new AbortController().signal;
  async function* three() {
    for (const byte of [1, 2, 3]) yield new Uint8Array([byte]);
  }
  const instant = { attempts: 3, firstDelayMs: 0 };

  /** Fails the first `times` calls of one method. */
  function failing(times: number, error: () => Error): { storage: Storage; calls: () => number } {
    const memory = createMemoryStorage();
    let calls = 0;
    const maybeFail = () => {
      calls += 1;
      if (calls <= times) throw error();
    };
    return {
      calls: () => calls,
      storage: {
        ...memory,
        async stat(key, given) {
          maybeFail();
          return memory.stat(key, given);
        },
        async *get(key, options) {
          maybeFail();
          yield* memory.get(key, options);
        },
        async put(key, body, options) {
          await memory.put(key, body, options);
          maybeFail();
        },
      },
    };
  }
  const unreachable = () => new AppError('STORAGE_UNREACHABLE', { reason: 'test' });

  it('repeats a put whose body was not touched', async () => {
    const memory = createMemoryStorage({ failPuts: 2 });
    await withRetry(memory, instant).put('a', three(), { signal });
    expect(memory.objects.get('a')).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('does not repeat a put whose body was read, unless it can be read again', async () => {
    const once = failing(1, unreachable);
    await expect(withRetry(once.storage, instant).put('a', three(), { signal })).rejects.toMatchObject({
      code: 'STORAGE_UNREACHABLE',
    });
    expect(once.calls()).toBe(1);
    const again = failing(1, unreachable);
    await withRetry(again.storage, instant).put('a', replayable(three), { signal });
    expect(again.calls()).toBe(2);
    expect((await again.storage.stat('a', signal)).sizeBytes).toBe(3);
  });

  it('gives up after the attempts and passes the last error on', async () => {
    const broken = failing(9, unreachable);
    await expect(withRetry(broken.storage, instant).stat('a', signal)).rejects.toMatchObject({
      code: 'STORAGE_UNREACHABLE',
    });
    expect(broken.calls()).toBe(3);
  });

  it('does not repeat what is not retryable', async () => {
    for (const error of [new AppError('STORAGE_FULL', { reason: 'test' }), new Error('unknown')]) {
      const broken = failing(9, () => error);
      await expect(withRetry(broken.storage, instant).stat('a', signal)).rejects.toBe(error);
      expect(broken.calls()).toBe(1);
    }
  });

  it('waits a random part of a doubling limit', async () => {
    const clock = createFakeClock();
    const broken = failing(3, unreachable);
    const storage = withRetry(broken.storage, { attempts: 4, clock, random: () => 0.5, firstDelayMs: 100 });
    const result = storage.stat('a', signal).catch((error) => error.code);
    for (const [waitMs, calls] of [
      [49, 1],
      [1, 2],
      [99, 2],
      [1, 3],
      [199, 3],
      [1, 4],
    ] as const) {
      await clock.advance(waitMs);
      expect(broken.calls()).toBe(calls);
    }
    expect(await result).toBe('STORAGE_NOT_FOUND');
  });

  it('stops waiting when it is cancelled', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const result = withRetry(failing(9, unreachable).storage, { attempts: 3, clock }).stat('a', abort.signal);
    const outcome = expect(result).rejects.toMatchObject({ code: 'CANCELLED' });
    await clock.advance(0);
    abort.abort();
    await outcome;
  });

  describe('with patience', () => {
    const patient = (clock: ReturnType<typeof createFakeClock>) => ({
      attempts: 2,
      patienceMs: 900_000,
      clock,
      random: () => 1,
    });

    it('waits an outage out, and tells once that it does and once that it is over', async () => {
      const clock = createFakeClock();
      const down = failing(Number.POSITIVE_INFINITY, () =>
        clock.monotonicMs() < 600_000 ? unreachable() : new AppError('STORAGE_NOT_FOUND', { key: 'a' }),
      );
      const told: (string | null)[] = [];
      const onOutage = (error: AppError | null) => told.push(error?.code ?? null);
      const storage = withRetry(down.storage, { ...patient(clock), onOutage });
      const answers = Promise.allSettled([storage.stat('a', signal), storage.stat('b', signal)]);
      await clock.advance(599_000);
      expect(told).toEqual(['STORAGE_UNREACHABLE']);
      await clock.advance(31_000);
      expect(await answers).toMatchObject([
        { status: 'rejected', reason: { code: 'STORAGE_NOT_FOUND' } },
        { status: 'rejected', reason: { code: 'STORAGE_NOT_FOUND' } },
      ]);
      await storage.list('', signal)[Symbol.asyncIterator]().next();
      expect(told).toEqual(['STORAGE_UNREACHABLE', null]);
    });

    it('goes on with all calls as soon as one gets through', async () => {
      const clock = createFakeClock();
      const memory = createMemoryStorage();
      for (const name of ['slow', 'fast']) memory.objects.set(name, new Uint8Array(1));
      let asked = '';
      const atMs: Record<string, number> = {};
      const down: Storage = {
        ...memory,
        async stat(key, given) {
          asked = key;
          if (clock.monotonicMs() < 100_000) throw unreachable();
          atMs[key] = clock.monotonicMs();
          return await memory.stat(key, given);
        },
      };
      const storage = withRetry(down, { ...patient(clock), random: () => (asked === 'slow' ? 1 : 0.1) });
      const both = Promise.all([storage.stat('slow', signal), storage.stat('fast', signal)]);
      await clock.advance(104_000);
      await both;
      expect(atMs.slow).toBe(atMs.fast);
    });

    it('does not call what fails by itself with every call that gets through', async () => {
      const clock = createFakeClock();
      const memory = createMemoryStorage();
      memory.objects.set('good', new Uint8Array(1));
      let [calls, told] = [0, 0];
      const half: Storage = {
        ...memory,
        async stat(key, given) {
          if (key === 'good') return await memory.stat(key, given);
          calls += 1;
          throw unreachable();
        },
      };
      const onOutage = () => {
        told += 1;
      };
      const storage = withRetry(half, { ...patient(clock), onOutage });
      const outcome = expect(storage.stat('bad', signal)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
      for (let second = 0; second < 900; second += 1) {
        await clock.advance(1000);
        await storage.stat('good', signal);
      }
      await outcome;
      expect(calls).toBeGreaterThan(30);
      expect(calls).toBeLessThan(80);
      expect(told).toBeLessThan(80);
    });

    it('ends with a last attempt when the patience ends', async () => {
      const clock = createFakeClock();
      const atMs: number[] = [];
      const down = failing(Number.POSITIVE_INFINITY, () => {
        atMs.push(clock.monotonicMs());
        return unreachable();
      });
      const result = withRetry(down.storage, patient(clock)).stat('a', signal);
      const outcome = expect(result).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
      await clock.advance(900_000);
      await outcome;
      expect(atMs.slice(0, 4)).toEqual([0, 500, 1_500, 3_500]);
      expect(atMs.at(-1)).toBe(900_000);
    });

    it('fails at once at what will not pass, and soon where the storage itself says no', async () => {
      for (const [code, calls] of [
        ['STORAGE_PERMISSION', 1],
        ['STORAGE_NOT_FOUND', 1],
        ['STORAGE_FULL', 1],
        ['STORAGE_CONFIG', 1],
        ['STORAGE_FAILED', 2],
      ] as const) {
        const broken = failing(9, () => new AppError(code, { reason: 'test', key: 'a' }));
        const storage = withRetry(broken.storage, { attempts: 2, patienceMs: 900_000, firstDelayMs: 0 });
        await expect(storage.stat('a', signal)).rejects.toMatchObject({ code });
        expect(broken.calls()).toBe(calls);
      }
    });

    it('is cancelled at once', async () => {
      const clock = createFakeClock();
      const abort = new AbortController();
      const down = failing(Number.POSITIVE_INFINITY, unreachable);
      const outcome = expect(withRetry(down.storage, patient(clock)).stat('a', abort.signal)).rejects.toMatchObject({
        code: 'CANCELLED',
      });
      await clock.advance(100_000);
      abort.abort();
      await outcome;
    });

    it('goes on with a list that broke, and gives each object once', async () => {
      const clock = createFakeClock();
      const memory = createMemoryStorage();
      for (const name of ['a', 'b', 'c', 'd', 'e']) memory.objects.set(name, new Uint8Array(1));
      let opened = 0;
      const breaking: Storage = {
        ...memory,
        // In another order each time, a little further each time.
        async *list() {
          opened += 1;
          const items: StoredObject[] = [];
          for await (const item of memory.list('', signal)) items.push(item);
          if (opened % 2 === 0) items.reverse();
          if (opened > 4) yield* items;
          yield* items.slice(0, opened);
          throw unreachable();
        },
      };
      const listAll = async (storage: Storage) => {
        const keys: string[] = [];
        for await (const { key } of storage.list('', signal)) {
          keys.push(key);
          if (keys.length === 5) break;
        }
        return keys.sort();
      };
      const listing = listAll(withRetry(breaking, patient(clock)));
      await clock.advance(900_000);
      expect(await listing).toEqual(['a', 'b', 'c', 'd', 'e']);
      opened = 0;
      const hasty = listAll(withRetry(breaking, { attempts: 3, firstDelayMs: 0 }));
      await expect(hasty).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    });

    it('goes on with a get where it broke, as often as it breaks', async () => {
      const clock = createFakeClock();
      const bytes = Uint8Array.from({ length: 60 }, (_, index) => index);
      const memory = createMemoryStorage();
      memory.objects.set('a', bytes);
      let opened = 0;
      const breaking: Storage = {
        ...memory,
        async *get(key, options) {
          opened += 1;
          if (opened % 3 === 0) throw unreachable();
          for await (const chunk of memory.get(key, options)) {
            if (chunk.byteLength > 7) {
              yield chunk.subarray(0, 7);
              throw unreachable();
            }
            yield chunk;
          }
        },
      };
      const storage = withRetry(breaking, patient(clock));
      for (const range of [undefined, { start: 5, end: 50 }]) {
        const chunks: Uint8Array[] = [];
        const reading = (async () => {
          for await (const chunk of storage.get('a', { signal, ...(range && { range }) })) chunks.push(chunk);
        })();
        await clock.advance(900_000);
        await reading;
        expect(Buffer.concat(chunks)).toEqual(Buffer.from(bytes.subarray(range?.start, range?.end)));
      }
    });
  });

  it('repeats a get only before its first chunk', async () => {
    const early = failing(2, unreachable);
    await early.storage.put('a', three(), { signal }).catch(() => {});
    const chunks: Uint8Array[] = [];
    for await (const chunk of withRetry(early.storage, instant).get('a', { signal })) chunks.push(chunk);
    expect(Buffer.concat(chunks)).toHaveLength(3);

    let opened = 0;
    const late: Storage = {
      ...createMemoryStorage(),
      async *get() {
        opened += 1;
        yield new Uint8Array([1]);
        throw unreachable();
      },
    };
    const reading = withRetry(late, instant).get('a', { signal })[Symbol.asyncIterator]();
    await reading.next();
    await expect(reading.next()).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(opened).toBe(1);
  });
});
