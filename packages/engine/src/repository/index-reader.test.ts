import { expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { IndexReader } from './index-reader.ts';
import { makeRepository, reopen } from './maintenance/small-repository.ts';
import type { Repository, RepositoryFile } from './open-repository.ts';

const signal = new AbortController().signal;

async function indexFiles(repository: Repository): Promise<RepositoryFile[]> {
  const files: RepositoryFile[] = [];
  for await (const file of repository.list('index', signal)) files.push(file);
  return files;
}

it('reads every file into the same memory', async () => {
  const repository = await makeRepository(createMemoryStorage());
  const texts = [40_000, 35_000, 39_000].map((length) => `{"packs":[],"x":"${'y'.repeat(length)}"}`);
  for (const text of texts) await repository.saveFile('index', Buffer.from(text), signal);
  const reader = new IndexReader(repository);
  const fetchFile = reader.lane();
  const seen: string[] = [];
  const buffers = new Set<ArrayBufferLike>();
  const files = await indexFiles(repository);
  // The longest first, so that none of the others needs more.
  for (const file of files.sort((a, b) => b.sizeBytes - a.sizeBytes)) {
    const open = await fetchFile(file, signal);
    await open((json) => {
      seen.push(Buffer.from(json).toString());
      buffers.add(json.buffer);
    });
  }
  expect(seen.sort()).toEqual([...texts].sort());
  expect(buffers.size).toBe(1);
  reader.close();
  expect([...buffers].map(({ byteLength }) => byteLength)).toEqual([0]);
});

it('reads a file that was listed with another size, and says what is wrong with a damaged one', async () => {
  const storage = createMemoryStorage();
  const repository = await makeRepository(storage);
  const name = await repository.saveFile('index', Buffer.from('{"packs":[]}'), signal);
  const listed = (sizeBytes: number) => ({ name, sizeBytes, modifiedAt: null });
  const fetchFile = new IndexReader(repository).lane();
  for (const sizeBytes of [0, 5, 5000]) {
    let text = '';
    const open = await fetchFile(listed(sizeBytes), signal);
    await open((json) => {
      text = Buffer.from(json).toString();
    });
    expect(text).toBe('{"packs":[]}');
  }
  storage.objects.set(`index/${name}`, Buffer.alloc(60));
  const open = await fetchFile(listed(60), signal);
  await expect(open(() => {})).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
});

it('reads again what a broken transfer brought', async () => {
  const storage = createMemoryStorage();
  const repository = await makeRepository(storage);
  await repository.saveFile('index', Buffer.from('{"packs":[]}'), signal);
  let gets = 0;
  const breaking: Storage = {
    ...storage,
    async *get(key, options) {
      if (key.startsWith('index/')) gets += 1;
      for await (const chunk of storage.get(key, options)) yield gets === 1 ? Uint8Array.from(chunk).fill(1) : chunk;
    },
  };
  const fetchFile = new IndexReader(await reopen(breaking, repository.masterKey)).lane();
  const [file] = await indexFiles(repository);
  let text = '';
  if (file) await (await fetchFile(file, signal))((json) => (text = Buffer.from(json).toString()));
  expect([text, gets]).toEqual(['{"packs":[]}', 2]);
});

it('gives each file its own content when several are on their way', async () => {
  const repository = await makeRepository(createMemoryStorage());
  const texts = Array.from({ length: 40 }, (_, number) => `{"packs":[],"number":${number}}`);
  for (const text of texts) await repository.saveFile('index', Buffer.from(text), signal);
  const reader = new IndexReader(repository);
  const seen: string[] = [];
  const use = (json: Uint8Array) => seen.push(Buffer.from(json).toString());
  await Promise.all((await indexFiles(repository)).map(async (file) => (await reader.lane()(file, signal))(use)));
  expect(seen.sort()).toEqual([...texts].sort());
});
