import { beforeEach, expect, it } from 'vitest';
import type { RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { BlobIndex } from '../blob-index.ts';
import { createBlobReader } from '../blob-reader.ts';
import { hashOf } from '../format/blob-id.ts';
import { createMasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { compressOnce } from '../format/zstd.ts';
import type { Repository } from '../open-repository.ts';
import { planRequests } from './plan-requests.ts';
import { type PieceSession, RestoreFiles } from './restore-files.ts';
import { RestorePipeline } from './restore-pipeline.ts';

const signal = new AbortController().signal;
const pack = Buffer.alloc(32, 7);
const masterKey = createMasterKey();
const box = createSealedBox(masterKey);
const memory = createMemoryStorage();
const repository = {
  place: { storage: memory },
  masterKey,
  box,
  key: (_folder: string, name: string) => name,
  readPack: async (name: string, range: { start: number; end: number } | null) =>
    Buffer.from(memory.objects.get(name)?.subarray(range?.start, range?.end) ?? []),
} as unknown as Repository;

let problems: unknown[];
beforeEach(() => {
  problems = [];
});

/** Restores one file per content, all of them in one pack; answers what was written of each. */
async function restoreAll(contents: readonly Buffer[]): Promise<Buffer[]> {
  const index = new BlobIndex();
  const packNumber = index.addPack(pack);
  const sealed = contents.map((content) => box.seal(compressOnce(content)));
  memory.objects.set(pack.toString('hex'), Buffer.concat(sealed));
  const written = contents.map(() => Buffer.alloc(0));
  const openFile = (entry: RestoreFileEntry): RestoreFile => ({
    isOpen: true,
    existing: null,
    closeExisting() {},
    writeAt(bytes) {
      written[Number(Buffer.from(entry.path).toString())] = Buffer.from(bytes);
    },
    finish: () => true,
    keepExisting: () => true,
    discard() {},
  });
  const files = new RestoreFiles({ openFile } as unknown as PieceSession, (problem) => problems.push(problem));
  let offset = 0;
  const blobs = contents.map((content, order) => {
    const id = hashOf(content);
    const storedLength = sealed[order]?.byteLength ?? 0;
    const plainLength = content.byteLength;
    const entry = index.add({ id, type: 'data', packNumber, offset, storedLength, plainLength });
    const file = files.begin({ path: Buffer.from(`${order}`) } as unknown as RestoreFileEntry);
    if (!file) throw new Error('every file is wanted');
    const blob = { entry, packNumber, offset, storedLength, order, targets: [{ file, position: 0 }] };
    offset += storedLength;
    return blob;
  });
  const reader = createBlobReader({ repository, index, signal });
  const pipeline = new RestorePipeline({ repository, index, reader, files, signal, threads: 1, onFetched() {} });
  try {
    await pipeline.submit(planRequests(blobs));
    await pipeline.drain();
  } finally {
    await pipeline.close();
  }
  return written;
}

it('brings a blob that is larger than the memory for it, also behind smaller ones', async () => {
  // Nothing but zeros: it is small where it is stored. Other programs cut larger chunks than ours.
  const contents = [Buffer.from('small'), Buffer.alloc(10 * 1024 * 1024), Buffer.from('another')];
  const written = await restoreAll(contents);
  expect(written.map((bytes) => bytes.byteLength)).toEqual(contents.map((bytes) => bytes.byteLength));
  expect(written.map((bytes, number) => bytes.equals(contents[number] ?? bytes))).toEqual([true, true, true]);
  expect(problems).toEqual([]);
});
