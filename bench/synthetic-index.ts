/** A repository that is an index and nothing else: files sealed by the real code, for blobs that are nowhere. */
import { createCipheriv } from 'node:crypto';
import { ID_BYTES, toHex } from '../packages/engine/src/repository/format/blob-id.ts';
import { indexJson, type PackToIndex } from '../packages/engine/src/repository/format/index-file.ts';
import { packMasterKey } from '../packages/engine/src/repository/format/master-key.ts';
import type { PackEntry } from '../packages/engine/src/repository/format/pack-header.ts';
import { initRepository } from '../packages/engine/src/repository/init-repository.ts';
import type { RepositoryPlace } from '../packages/engine/src/repository/open-repository.ts';
import { localDisk } from '../packages/engine/src/storages/local-disk.ts';

export interface SyntheticIndex {
  readonly folder: string;
  /** Base64. */
  readonly masterKey: string;
  readonly blobs: number;
  readonly packs: number;
  readonly files: number;
}

/** Large chunks: no repository has more packs per blob, and each pack takes up memory too. */
const BLOBS_PER_PACK = 16;
/** One in so many packs holds folders. */
const TREE_PACKS = 16;
/** A backup begins the next file there. */
const BLOBS_PER_FILE = 50_000;
const PACKS_PER_FILE = BLOBS_PER_FILE / BLOBS_PER_PACK;
const SCRYPT = { N: 1024, r: 8, p: 1 };
const ID_KEY = Buffer.alloc(32, 1);
const BLOCK_BYTES = 16;

/** What ids are made for, so that those of blobs, packs and unknown blobs differ. */
export type IdKind = 'blob' | 'pack' | 'unknown';
const kindNumbers = { blob: 1, pack: 2, unknown: 3 } as const satisfies Record<IdKind, number>;

/** The ids of these numbers one behind the other: random to look at, and the same every time. */
export function syntheticIds(kind: IdKind, numbers: Iterable<number>, count: number): Buffer {
  const blocks = Buffer.alloc(count * ID_BYTES);
  let at = 0;
  for (const number of numbers) {
    for (const half of [0, 1]) {
      blocks.writeUInt32LE(number, at);
      blocks.writeUInt32LE(2 * kindNumbers[kind] + half, at + 4);
      at += BLOCK_BYTES;
    }
  }
  return createCipheriv('aes-256-ecb', ID_KEY, null).setAutoPadding(false).update(blocks);
}

/** Where the blob of a number lies. */
export function placeOf(blob: number): Omit<PackEntry, 'id'> & { readonly pack: number } {
  const pack = Math.floor(blob / BLOBS_PER_PACK);
  const storedLength = 900_000 + ((pack * 7919) % 200_000);
  return {
    pack,
    type: pack % TREE_PACKS === 0 ? 'tree' : 'data',
    offset: (blob % BLOBS_PER_PACK) * storedLength,
    storedLength,
    plainLength: storedLength + 300_000,
  };
}

function* range(from: number, end: number): Generator<number> {
  for (let number = from; number < end; number += 1) yield number;
}

export function placeOfRepository(folder: string): RepositoryPlace {
  return { storage: localDisk.create({ basePath: folder, masterRelay: false }), prefix: '', label: 'bench' };
}

/** Writes it into an empty folder. */
export async function writeSyntheticIndex(folder: string, wantedBlobs: number): Promise<SyntheticIndex> {
  const { signal } = new AbortController();
  const maker = { password: 'benchmark', hostname: 'bench', username: 'bench', created: new Date().toISOString() };
  const repository = await initRepository(placeOfRepository(folder), { ...maker, cost: SCRYPT }, signal);
  const packs = Math.ceil(wantedBlobs / BLOBS_PER_PACK);
  let files = 0;
  for (let first = 0; first < packs; first += PACKS_PER_FILE) {
    const content = packsToIndex(first, Math.min(packs, first + PACKS_PER_FILE));
    await repository.saveFile('index', indexJson(content), signal);
    files += 1;
  }
  const masterKey = packMasterKey(repository.masterKey);
  return { folder, masterKey, blobs: packs * BLOBS_PER_PACK, packs, files };
}

function packsToIndex(first: number, end: number): PackToIndex[] {
  const packIds = syntheticIds('pack', range(first, end), end - first);
  const [firstBlob, endBlob] = [first * BLOBS_PER_PACK, end * BLOBS_PER_PACK];
  const blobIds = syntheticIds('blob', range(firstBlob, endBlob), endBlob - firstBlob);
  const idIn = (ids: Buffer, number: number) => ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES);
  return Array.from(range(first, end), (pack) => ({
    id: toHex(idIn(packIds, pack - first)),
    entries: Array.from(range(pack * BLOBS_PER_PACK, (pack + 1) * BLOBS_PER_PACK), (blob) => ({
      ...placeOf(blob),
      id: idIn(blobIds, blob - firstBlob),
    })),
  }));
}
