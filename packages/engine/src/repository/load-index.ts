import { AppError } from '@backupx/contracts/errors';
import { BlobIndex } from './blob-index.ts';
import { toHex } from './format/blob-id.ts';
import { parseIndex } from './format/index-file.ts';
import { type FetchIndexFile, IndexReader } from './index-reader.ts';
import type { Repository, RepositoryFile } from './open-repository.ts';

const READS_AT_ONCE = 4;
/** Lists again when files were replaced while they were read; more often would be something else. */
const MAX_LISTS = 5;

/** About what a blob takes in an index file, with its share of the pack's id. */
const BYTES_PER_BLOB = 150;

export interface LoadIndexOptions {
  readonly signal: AbortSignal;
  /** Packs (hex) that must not be known: a garbage collection has condemned them. */
  readonly ignoredPacks?: ReadonlySet<string>;
  /** Hears the name of each index file that was read. */
  readonly onIndexFile?: (name: string) => void;
  /** Hears of a file that cannot be read, and the rest is loaded: for reading only, where less is better than nothing. */
  readonly onDamaged?: (name: string) => void;
}

/**
 * Reads every index file, a few at a time, so that memory holds the index and little else. Throws REPOSITORY_DAMAGED
 * for a file that cannot be read, unless `onDamaged` hears of it (`backupx repo repair index` makes a new one). List snapshots before this: then every
 * blob they need is in it.
 */
export async function loadIndex(repository: Repository, options: LoadIndexOptions): Promise<BlobIndex> {
  const { signal, ignoredPacks } = options;
  const index = new BlobIndex();
  const seen = new Set<string>();
  let vanished: unknown = null;
  const reader = new IndexReader(repository);
  const read = async (file: RepositoryFile, fetchFile: FetchIndexFile) => {
    const { name } = file;
    try {
      const open = await fetchFile(file, signal);
      await open((json) => addIndexFile(index, json, ignoredPacks));
      options.onIndexFile?.(name);
    } catch (error) {
      const code = error instanceof AppError ? error.code : null;
      if (code === 'STORAGE_NOT_FOUND') vanished = error;
      else if (code === 'REPOSITORY_DAMAGED' && options.onDamaged) options.onDamaged(name);
      else throw error;
    }
  };
  // A file that vanishes was replaced by another, which was stored before.
  for (let lists = 1; lists === 1 || vanished !== null; lists += 1) {
    if (lists > MAX_LISTS) throw vanished;
    vanished = null;
    const files: RepositoryFile[] = [];
    for await (const file of repository.list('index', signal)) if (!seen.has(file.name)) files.push(file);
    for (const { name } of files) seen.add(name);
    const waiting = files.values();
    const readNext = async () => {
      const fetchFile = reader.lane();
      for (const file of waiting) await read(file, fetchFile);
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, readNext));
  }
  reader.close();
  return index;
}

/** Adds what one index file (opened) says; packs in `ignored` are left out. */
export function addIndexFile(index: BlobIndex, json: Uint8Array, ignored?: ReadonlySet<string>): void {
  index.expect(Math.floor(json.byteLength / BYTES_PER_BLOB));
  parseIndex(
    json,
    (packId) => (ignored && ignored.size > 0 && ignored.has(toHex(packId)) ? -1 : index.addPack(packId)),
    (place) => {
      if (place.packNumber >= 0) index.add(place);
    },
  );
}
