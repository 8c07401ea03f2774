import { expect, it } from 'vitest';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { toHex } from './format/blob-id.ts';
import { packIndex } from './format/index-file.ts';
import { loadIndex } from './load-index.ts';
import { makeRepository, reopen } from './maintenance/small-repository.ts';

const signal = new AbortController().signal;
const [packA, packB] = ['aa'.repeat(32), 'bb'.repeat(32)];
const blob = { type: 'data', id: Buffer.alloc(32, 7), offset: 0, storedLength: 50, plainLength: 0 } as const;
const indexOf = (...ids: string[]) => packIndex(ids.map((id) => ({ id, entries: [blob] })));

it('leaves out packs that are to be ignored', async () => {
  const repository = await makeRepository(createMemoryStorage());
  await repository.saveFile('index', indexOf(packA, packB), signal);
  const index = await loadIndex(repository, { signal, ignoredPacks: new Set([packA]) });
  expect([index.count, index.packCount, toHex(index.packId(0))]).toEqual([1, 1, packB]);
});

it('lists again when a file was replaced after it was listed', async () => {
  const storage = createMemoryStorage();
  const repository = await makeRepository(storage);
  const old = await repository.saveFile('index', indexOf(packA), signal);
  let gets = 0;
  const racing = await reopen(
    {
      ...storage,
      get(key, options) {
        if (key.startsWith('index/')) gets += 1;
        return storage.get(key, options);
      },
      async *list(prefix, listSignal) {
        for await (const object of storage.list(prefix, listSignal)) yield object;
        if (prefix !== 'index/' || gets > 0) return;
        await repository.saveFile('index', indexOf(packA, packB), signal);
        await repository.removeFile('index', old, signal);
      },
    },
    repository.masterKey,
  );
  expect((await loadIndex(racing, { signal })).packCount).toBe(2);
  expect(gets).toBe(2);
});
