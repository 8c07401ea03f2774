/**
 * The index as maintenance needs it: with the knowledge which file names which packs, and files that cannot be read
 * either as an error or as a finding.
 */
import { AppError } from '@backupx/contracts/errors';
import { BlobIndex } from '../blob-index.ts';
import { parseIndex } from '../format/index-file.ts';
import { type FetchIndexFile, IndexReader, type OpenIndexFile } from '../index-reader.ts';
import { addIndexFile } from '../load-index.ts';
import type { RepositoryFile } from '../open-repository.ts';
import { inOrder } from './in-order.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';

/** What one index file added to the `BlobIndex`: half-open ranges of pack and entry numbers. */
export interface IndexFile {
  readonly name: string;
  readonly firstPack: number;
  readonly endPack: number;
  readonly firstEntry: number;
  readonly endEntry: number;
}

export interface DamagedFile {
  readonly name: string;
  readonly reason: string;
}

export interface LoadedIndex {
  readonly index: BlobIndex;
  /** In the order of adding; every entry of `index` belongs to one. */
  readonly files: readonly IndexFile[];
  /** Empty when they are not tolerated. */
  readonly damaged: readonly DamagedFile[];
}

export interface LoadIndexFilesOptions {
  /** False (default): a damaged file throws REPOSITORY_DAMAGED. */
  readonly tolerateDamage?: boolean;
}

interface FetchedFile {
  readonly name: string;
  readonly open: OpenIndexFile;
}

/**
 * Reads every index file, in the order of names so that work is repeatable; a few at a time, into memory that is used
 * again for the next, so that memory holds the index and little else. One that vanishes in between was replaced by
 * another, which was stored before: the list is read again then. List snapshots before this.
 */
export async function loadIndexFiles(work: MaintenanceWork, options: LoadIndexFilesOptions = {}): Promise<LoadedIndex> {
  const index = new BlobIndex();
  const files: IndexFile[] = [];
  const damaged: DamagedFile[] = [];
  const seen = new Set<string>();
  const reader = new IndexReader(work.repository);
  const lanes = Array.from({ length: FILES_AT_ONCE }, () => reader.lane());
  for (let isComplete = false; !isComplete; ) {
    isComplete = true;
    const listed = (await listNamed(work, 'index')).filter(({ name }) => !seen.has(name));
    for await (const fetched of inOrder(fetches(work, listed, lanes), FILES_AT_ONCE)) {
      const file = fetched && (await addFile(work, index, fetched));
      if (file === null) isComplete = false;
      else if ('endPack' in file) files.push(file);
      else if (options.tolerateDamage) damaged.push(file);
      else throw new AppError('REPOSITORY_DAMAGED', { reason: `index ${file.name}: ${file.reason}` });
    }
    for (const { name } of listed) seen.add(name);
  }
  reader.close();
  return { index, files, damaged };
}

/** A lane is asked for the next file when its last one was worked on: as many run at once as there are lanes. */
function* fetches(work: MaintenanceWork, files: readonly RepositoryFile[], lanes: readonly FetchIndexFile[]) {
  for (const [at, file] of files.entries()) {
    const fetchFile = lanes[at % lanes.length];
    if (fetchFile) yield () => fetchUnlessGone(work, file, fetchFile);
  }
}

/** Null: the file has vanished. */
async function fetchUnlessGone(
  { signal }: MaintenanceWork,
  file: RepositoryFile,
  fetchFile: FetchIndexFile,
): Promise<FetchedFile | null> {
  try {
    return { name: file.name, open: await fetchFile(file, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return null;
    throw error;
  }
}

/** Names of all files of a type, in their order so that work is repeatable. */
export async function listNames(work: MaintenanceWork, type: 'index' | 'snapshots'): Promise<string[]> {
  return (await listNamed(work, type)).map(({ name }) => name);
}

async function listNamed(work: MaintenanceWork, type: 'index' | 'snapshots'): Promise<RepositoryFile[]> {
  const files: RepositoryFile[] = [];
  for await (const file of work.repository.list(type, work.signal)) files.push(file);
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Null: the file has vanished. Parsed once without effect, so that a bad file adds nothing. */
async function addFile(
  work: MaintenanceWork,
  index: BlobIndex,
  { name, open }: FetchedFile,
): Promise<IndexFile | DamagedFile | null> {
  const [firstPack, firstEntry] = [index.packCount, index.count];
  try {
    await open((json) => {
      parseIndex(
        json,
        () => 0,
        () => {},
      );
      addIndexFile(index, json);
    });
  } catch (error) {
    work.signal.throwIfAborted();
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'STORAGE_NOT_FOUND') return null;
    if (error.code !== 'REPOSITORY_DAMAGED') throw error;
    return { name, reason: damageReason(error) };
  }
  return { name, firstPack, endPack: index.packCount, firstEntry, endEntry: index.count };
}

/** What is wrong, without the words around it. */
export function damageReason(error: unknown): string {
  if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return String(error.params.reason);
  return error instanceof Error ? error.message : String(error);
}
