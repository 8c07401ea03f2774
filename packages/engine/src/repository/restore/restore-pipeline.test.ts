import { beforeEach, expect, it } from 'vitest';
import type { RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import type { Storage } from '../../ports/storage.ts';
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
const masterKey = createMasterKey();
const box = createSealedBox(masterKey);
const memory = createMemoryStorage();
/** Hears of each read of a pack, and may keep it waiting. */
let onGet: () => Promise<void>;
const storage: Pick<Storage, 'get'> = {
  async *get(key, options) {
    await onGet();
    yield* memory.get(key, options);
  },
};
const repository = {
  place: { storage },
  masterKey,
  box,
  key: (_folder: string, name: string) => name,
  readPack: async (name: string, range: { start: number; end: number } | null) =>
    Buffer.from(memory.objects.get(name)?.subarray(range?.start, range?.end) ?? []),
} as unknown as Repository;

let problems: unknown[];
beforeEach(() => {
  problems = [];
  onGet = async () => {};
});

interface PackPlace {
  readonly packNumber: number;
  readonly offset: number;
  readonly storedLength: number;
}

/** Puts the contents into packs, so many into each. */
function storePacks(index: BlobIndex, contents: readonly Buffer[], perPack: number): PackPlace[] {
  const places: PackPlace[] = [];
  for (let first = 0; first < contents.length; first += perPack) {
    const id = hashOf(Buffer.from(`pack ${first}`));
    const packNumber = index.addPack(id);
    const sealed = contents.slice(first, first + perPack).map((content) => box.seal(compressOnce(content)));
    let offset = 0;
    for (const { byteLength: storedLength } of sealed) {
      places.push({ packNumber, offset, storedLength });
      offset += storedLength;
    }
    memory.objects.set(id.toString('hex'), Buffer.concat(sealed));
  }
  return places;
}

/** Restores one file per content; answers what was written of each. */
async function restoreAll(contents: readonly Buffer[], perPack = contents.length): Promise<Buffer[]> {
  const index = new BlobIndex();
  const places = storePacks(index, contents, perPack);
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
  const blobs = contents.map((content, order) => {
    const place = places[order];
    if (!place) throw new Error('every content has a place');
    const entry = index.add({ ...place, id: hashOf(content), type: 'data', plainLength: content.byteLength });
    const file = files.begin({ path: Buffer.from(`${order}`) } as unknown as RestoreFileEntry);
    if (!file) throw new Error('every file is wanted');
    return { ...place, entry, order, targets: [{ file, position: 0 }] };
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

it('reads four packs at a time, no more', async () => {
  const contents = Array.from({ length: 12 }, (_, number) => Buffer.from(`content ${number}`));
  let [reading, most] = [0, 0];
  const waiting: (() => void)[] = [];
  onGet = async () => {
    reading += 1;
    most = Math.max(most, reading);
    const turn = new Promise<void>((resolve) => waiting.push(resolve));
    // Nobody goes on before four are there, so fewer would wait for ever; more had the time to come.
    if (waiting.length === 4) setImmediate(() => waiting.splice(0).forEach((goOn) => void goOn()));
    await turn;
    reading -= 1;
  };
  expect(await restoreAll(contents, 1)).toEqual(contents);
  expect(most).toBe(4);
});
