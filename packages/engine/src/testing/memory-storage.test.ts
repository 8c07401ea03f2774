import { describe, expect, it } from 'vitest';
import { createMemoryStorage } from './memory-storage.ts';
import { storageConformance } from './storage-conformance.ts';

storageConformance(
  'memory',
  async () => ({
    storage: createMemoryStorage(),
    cleanup: async () => {},
  }),
  { isInMemory: true },
);

describe('createMemoryStorage', () => {
  const signal = new AbortController().signal;
  async function* ten() {
    for (let i = 0; i < 10; i++) yield new Uint8Array([i]);
  }

  it('fails as many puts as told, without reading the body', async () => {
    const storage = createMemoryStorage({ failPuts: 1 });
    const body = ten();
    await expect(storage.put('a', body, { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    await storage.put('a', body, { signal });
    expect(storage.objects.get('a')).toHaveLength(10);
  });

  it('is full after the bytes told, and leaves nothing', async () => {
    const storage = createMemoryStorage({ failAfterBytes: 5 });
    await expect(storage.put('a', ten(), { signal })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(storage.objects.size).toBe(0);
    storage.knobs.failAfterBytes = null;
    await storage.put('a', ten(), { signal });
    expect(storage.objects.size).toBe(1);
  });
});
