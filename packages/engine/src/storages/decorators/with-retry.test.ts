import { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { replayable, type Storage } from '../../ports/storage.ts';
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
