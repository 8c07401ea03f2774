import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { deleteObjects } from './delete-objects.ts';
import { teeStream } from './tee-stream.ts';
import { testStorage } from './test-storage.ts';

let fixture: JobFixture | null = null;
afterEach(() => {
  if (fixture) rmSync(fixture.context.tempDir, { recursive: true, force: true });
});
const withStorage = (storage: Storage) => {
  fixture = createJobFixture({ storages: { s1: storage }, sources: [] });
  return fixture.context;
};
const test = (storage: Storage) =>
  testStorage({ kind: 'test_storage', storage: { type: 's1', config: {} } }, withStorage(storage));

describe('testStorage', () => {
  it('runs every step and removes its object', async () => {
    const memory = createMemoryStorage();
    const result = await test(memory);
    expect(result.steps.map((step) => step.name)).toEqual([
      'open',
      'write',
      'read',
      'read range',
      'size',
      'list',
      'replace',
      'failed write',
      'missing object',
      'delete',
      'usage',
    ]);
    expect(memory.objects.size).toBe(0);
  });

  const broken: Readonly<Record<string, (memory: MemoryStorage) => Partial<Storage>>> = {
    write: () => ({ put: () => Promise.reject(new Error('no')) }),
    read: () => ({
      async *get() {
        yield new Uint8Array(3);
      },
    }),
    'read range': (memory) => ({ get: (key, { signal }) => memory.get(key, { signal }) }),
    size: (memory) => ({ stat: async (key, signal) => ({ ...(await memory.stat(key, signal)), sizeBytes: 1 }) }),
    list: () => ({ async *list() {} }),
    'failed write': (memory) => ({
      async put(key, body, { signal }) {
        const chunks: Uint8Array[] = [];
        try {
          for await (const chunk of body) chunks.push(chunk);
        } catch {
          // A place that keeps what it got so far.
        }
        memory.objects.set(key, Buffer.concat(chunks));
        signal.throwIfAborted();
      },
    }),
    delete: () => ({ delete: async () => {} }),
  };
  for (const [step, breakIt] of Object.entries(broken)) {
    it(`names the step "${step}" when it fails`, async () => {
      const memory = createMemoryStorage();
      await expect(test({ ...memory, ...breakIt(memory) })).rejects.toMatchObject({
        code: 'STORAGE_TEST_FAILED',
        params: { step },
      });
      if (step !== 'delete') expect(memory.objects.size).toBe(0);
    });
  }
});

describe('deleteObjects', () => {
  it('deletes each key once, missing ones too, and tells the first error after trying all', async () => {
    const memory = createMemoryStorage();
    for (const key of ['a', 'b', 'c']) memory.objects.set(key, new Uint8Array(1));
    const job = { kind: 'delete_objects', target: testTarget(1), keys: ['a', 'a', 'gone'] } as const;
    expect(await deleteObjects({ ...job, keys: [...job.keys] }, withStorage(memory))).toEqual({ deleted: 2 });
    const failing: Storage = {
      ...memory,
      delete: (key, signal) => (key === 'b' ? Promise.reject(new Error('locked')) : memory.delete(key, signal)),
    };
    const both = { ...job, keys: ['b', 'c'] };
    await expect(deleteObjects(both, withStorage(failing))).rejects.toThrow('locked');
    expect([...memory.objects.keys()]).toEqual(['b']);
  });
});

describe('teeStream', () => {
  async function* numbers(count: number, onPull: (index: number) => void = () => {}) {
    for (let index = 0; index < count; index += 1) {
      onPull(index);
      yield Uint8Array.of(index);
    }
  }
  const collect = async (branch: AsyncIterable<Uint8Array> | undefined) => {
    const all: number[] = [];
    for await (const chunk of branch ?? []) all.push(chunk[0] ?? -1);
    return all;
  };

  it('gives every reader everything', async () => {
    const tee = teeStream(numbers(5), 3);
    expect(await Promise.all(tee.branches.map(collect))).toEqual(Array(3).fill([0, 1, 2, 3, 4]));
  });

  it('waits for the slowest and goes on without one that left', async () => {
    let pulled = -1;
    const tee = teeStream(
      numbers(5, (index) => {
        pulled = index;
      }),
      2,
    );
    const slow = tee.branches[1]?.[Symbol.asyncIterator]();
    void slow?.next();
    const fast = collect(tee.branches[0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(pulled).toBe(0);
    tee.drop(1);
    expect(await fast).toEqual([0, 1, 2, 3, 4]);
  });

  it('closes the stream when nobody reads it any more, and hands its failure to all', async () => {
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) yield new Uint8Array(1);
      } finally {
        isClosed = true;
      }
    }
    const left = teeStream(endless(), 1);
    const reader = left.branches[0]?.[Symbol.asyncIterator]();
    await reader?.next();
    await reader?.return?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isClosed).toBe(true);
    async function* failing() {
      yield new Uint8Array(1);
      throw new Error('broken');
    }
    const tee = teeStream(failing(), 2);
    const results = await Promise.allSettled(tee.branches.map(collect));
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(tee.failure).not.toBeNull();
  });
});
