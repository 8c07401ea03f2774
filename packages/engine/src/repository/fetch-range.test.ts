import { AppError } from '@backupx/contracts/errors';
import { beforeEach, expect, it } from 'vitest';
import { withRetry } from '../storages/decorators/with-retry.ts';
import { createFakeClock } from '../testing/fake-clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { fetchRange } from './fetch-range.ts';

const signal = new AbortController().signal;
const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
let memory: MemoryStorage;
beforeEach(() => {
  memory = createMemoryStorage();
  memory.objects.set('pack', content);
});

/** Breaks each read after so many bytes; answers where the reads began. */
function breaking(bytes: number, code: 'STORAGE_UNREACHABLE' | 'STORAGE_PERMISSION' = 'STORAGE_UNREACHABLE') {
  const starts: number[] = [];
  const storage = {
    ...memory,
    async *get(key: string, options: Parameters<MemoryStorage['get']>[1]) {
      const start = options.range?.start ?? 0;
      starts.push(start);
      const end = Math.min(options.range?.end ?? 0, start + bytes);
      yield* memory.get(key, { ...options, range: { start, end } });
      if (end < Math.min(options.range?.end ?? 0, content.length)) throw new AppError(code, { reason: 'cut' });
    },
  };
  return { storage, starts };
}

async function fetch(storage: MemoryStorage, start: number, end: number) {
  const target = new Uint8Array(new SharedArrayBuffer(600));
  const count = await fetchRange(storage, { key: 'pack', start, end }, target, signal);
  return { count, bytes: Buffer.from(target.subarray(0, count)) };
}

it('reads a range, or as much of it as there is', async () => {
  expect(await fetch(memory, 100, 700)).toEqual({ count: 600, bytes: content.subarray(100, 700) });
  expect(await fetch(memory, 900, 1400)).toEqual({ count: 100, bytes: content.subarray(900) });
  await expect(fetchRange(memory, { key: 'no', start: 0, end: 1 }, new Uint8Array(1), signal)).rejects.toMatchObject({
    code: 'STORAGE_NOT_FOUND',
  });
});

it('goes on where a connection broke, as long as it gets anywhere', async () => {
  const { storage, starts } = breaking(250);
  expect(await fetch(storage, 100, 700)).toEqual({ count: 600, bytes: content.subarray(100, 700) });
  expect(starts).toEqual([100, 350, 600]);
  await expect(fetch(breaking(0).storage, 0, 10)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  await expect(fetch(breaking(5, 'STORAGE_PERMISSION').storage, 0, 10)).rejects.toMatchObject({
    code: 'STORAGE_PERMISSION',
  });
});

it('waits once for a storage that is patient by itself', async () => {
  const clock = createFakeClock();
  const patienceMs = 900_000;
  let isAway = false;
  const cut = {
    ...memory,
    async *get(key: string, options: Parameters<MemoryStorage['get']>[1]) {
      if (isAway) throw new AppError('STORAGE_UNREACHABLE', { reason: 'away' });
      isAway = true;
      yield* memory.get(key, { ...options, range: { start: 100, end: 200 } });
      throw new AppError('STORAGE_UNREACHABLE', { reason: 'cut' });
    },
  };
  const patient = withRetry(cut, { attempts: 2, patienceMs, clock });
  let endedMs = 0;
  const reading = fetchRange(patient, { key: 'pack', start: 100, end: 700 }, new Uint8Array(600), signal).catch(
    (error: AppError) => {
      endedMs = clock.monotonicMs();
      return error.code;
    },
  );
  await clock.advance(3 * patienceMs);
  expect([await reading, endedMs]).toEqual(['STORAGE_UNREACHABLE', patienceMs]);
});
