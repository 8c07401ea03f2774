import { describe, expect, it } from 'vitest';
import { replayable } from '../../ports/storage.ts';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { storageConformance } from '../../testing/storage-conformance.ts';
import { withBandwidthLimit } from './with-bandwidth-limit.ts';
import { withRetry } from './with-retry.ts';

storageConformance(
  'with-bandwidth-limit',
  async () => ({
    storage: withBandwidthLimit(createMemoryStorage(), 4e9),
    cleanup: async () => {},
  }),
  { isInMemory: true },
);

describe('withBandwidthLimit', () => {
  const signal = new AbortController().signal;
  async function* bytes(count: number) {
    yield new Uint8Array(count);
  }
  /** Advances the clock in small steps until the work is done; answers how long that took. */
  async function timed(clock: ReturnType<typeof createFakeClock>, work: Promise<unknown>): Promise<number> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    const startMs = clock.monotonicMs();
    while (!isDone) await clock.advance(25);
    await done;
    return clock.monotonicMs() - startMs;
  }

  it('takes the time the limit asks for', async () => {
    const clock = createFakeClock();
    const storage = withBandwidthLimit(createMemoryStorage(), 100_000, clock);
    const putMs = await timed(clock, storage.put('a', bytes(500_000), { signal }));
    expect(putMs).toBeGreaterThan(4_800);
    expect(putMs).toBeLessThan(5_300);
    const read = async () => {
      for await (const _ of storage.get('a', { signal }));
    };
    expect(await timed(clock, read())).toBeGreaterThan(4_800);
  });

  it('shares the limit between streams', async () => {
    const clock = createFakeClock();
    const storage = withBandwidthLimit(createMemoryStorage(), 100_000, clock);
    const both = Promise.all(['a', 'b'].map((key) => storage.put(key, bytes(200_000), { signal })));
    expect(await timed(clock, both)).toBeGreaterThan(3_800);
  });

  it('does not save up idle time', async () => {
    const clock = createFakeClock();
    const storage = withBandwidthLimit(createMemoryStorage(), 100_000, clock);
    await clock.advance(60_000);
    expect(await timed(clock, storage.put('a', bytes(200_000), { signal }))).toBeGreaterThan(1_800);
  });

  it('is cancelled while it waits', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const memory = createMemoryStorage();
    const put = withBandwidthLimit(memory, 1_000, clock).put('a', bytes(500_000), { signal: abort.signal });
    const outcome = expect(put).rejects.toMatchObject({ code: 'CANCELLED' });
    await clock.advance(100);
    abort.abort();
    await outcome;
    expect(memory.objects.size).toBe(0);
  });

  it('returns the storage itself for no limit, and keeps a body replayable', async () => {
    const memory = createMemoryStorage({ failPuts: 1 });
    expect(withBandwidthLimit(memory, 0)).toBe(memory);
    const storage = withBandwidthLimit(withRetry(memory, { attempts: 2, firstDelayMs: 0 }), 1e9);
    await storage.put(
      'a',
      replayable(() => bytes(10)),
      { signal },
    );
    expect(memory.objects.get('a')).toHaveLength(10);
  });
});
