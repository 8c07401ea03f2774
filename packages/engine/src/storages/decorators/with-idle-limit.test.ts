import { describe, expect, it } from 'vitest';
import { replayable, type Storage } from '../../ports/storage.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { storageConformance } from '../../testing/storage-conformance.ts';
import { withIdleLimit } from './with-idle-limit.ts';
import { withRetry } from './with-retry.ts';

storageConformance(
  'with-idle-limit',
  async () => ({
    storage: withIdleLimit(withRetry(createMemoryStorage(), { attempts: 3 }), { seconds: 60 }),
    cleanup: async () => {},
  }),
  { isInMemory: true },
);

describe('withIdleLimit', () => {
  const { signal } = new AbortController();
  const never = () => new Promise<never>(() => {});
  const limits = { seconds: 0.02, graceMs: 1 };
  async function* bodyOf(text: string) {
    yield Buffer.from(text);
  }
  const read = async (storage: Storage, key: string) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of storage.get(key, { signal })) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const keys = async (storage: Storage) => {
    const found: string[] = [];
    for await (const { key } of storage.list('', signal)) found.push(key);
    return found;
  };

  it('lets go of every call that never ends, whether it hears the signal or not', async () => {
    const stuck = withIdleLimit(
      {
        put: never,
        // biome-ignore lint/correctness/useYield: it never gets there.
        async *get() {
          await never();
        },
        stat: never,
        async *list() {
          yield { key: 'a', sizeBytes: 1, modifiedAt: null };
          await never();
        },
        delete: never,
        putIfAbsent: never,
        close: never,
      },
      limits,
    );
    const calls = [
      stuck.put('a', bodyOf('x'), { signal }),
      read(stuck, 'a'),
      stuck.stat('a', signal),
      keys(stuck),
      stuck.delete('a', signal),
      stuck.putIfAbsent?.('a', Buffer.from('x'), signal),
      stuck.close?.(),
    ];
    const ends = await Promise.all(calls.map((call) => Promise.resolve(call).catch((error) => error.code)));
    expect(ends).toEqual(calls.map(() => 'TIMEOUT'));
  });

  it('lets go of a reader that stops early and cannot be closed', async () => {
    const memory = createMemoryStorage();
    const stuck = withIdleLimit(
      {
        ...memory,
        get: () => ({
          [Symbol.asyncIterator]: () => ({
            next: async () => ({ done: false as const, value: Buffer.from('x') }),
            return: never,
          }),
        }),
      },
      limits,
    );
    const readOne = async () => {
      for await (const _ of stuck.get('a', { signal })) break;
    };
    await expect(readOne()).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('tells the call beneath, and says TIMEOUT whatever that makes of it', async () => {
    const reasons: unknown[] = [];
    const heard = (inner: AbortSignal) =>
      new Promise<never>((_, reject) => {
        inner.addEventListener('abort', () => {
          reasons.push(inner.reason);
          reject(new Error('aborted'));
        });
      });
    const memory = createMemoryStorage();
    const storage = withIdleLimit({ ...memory, put: (_key, _body, options) => heard(options.signal) }, limits);
    await expect(storage.put('a', bodyOf('x'), { signal })).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(reasons).toMatchObject([{ code: 'TIMEOUT' }]);
  });

  it('ends with what the caller aborts it with', async () => {
    const stop = new AbortController();
    const storage = withIdleLimit(createMemoryStorage(), { seconds: 60 });
    stop.abort();
    await expect(storage.stat('a', stop.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('waits as long as a body does', async () => {
    async function* slow() {
      yield Buffer.from('a');
      await new Promise((resolve) => setTimeout(resolve, 200));
      yield Buffer.from('b');
    }
    const storage = withIdleLimit(createMemoryStorage(), limits);
    await storage.put('a', slow(), { signal });
    expect(await read(storage, 'a')).toBe('ab');
  });

  it('lets a body be read again', async () => {
    const memory = createMemoryStorage({ failPuts: 1 });
    const storage = withIdleLimit(withRetry(memory, { attempts: 2, firstDelayMs: 0 }), { seconds: 60 });
    await storage.put(
      'a',
      replayable(() => bodyOf('x')),
      { signal },
    );
    expect(await read(storage, 'a')).toBe('x');
  });
});
