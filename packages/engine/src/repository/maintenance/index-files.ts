/**
 * The index as maintenance needs it: with the knowledge which file names which packs, and files that cannot be read
 * either as an error or as a finding.
 */
import { AppError } from '@backupx/contracts/errors';
import { BlobIndex } from '../blob-index.ts';
import { parseIndex } from '../format/index-file.ts';
import { addIndexFile } from '../load-index.ts';
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

type ReadFile = { readonly name: string; readonly json: Buffer } | DamagedFile | null;

/**
 * Reads every index file. One that vanishes in between was replaced by another, which was stored before: the list is
 * read again then. List snapshots before this.
 */
export async function loadIndexFiles(work: MaintenanceWork, options: LoadIndexFilesOptions = {}): Promise<LoadedIndex> {
  const index = new BlobIndex();
  const files: IndexFile[] = [];
  const damaged: DamagedFile[] = [];
  const seen = new Set<string>();
  for (let isComplete = false; !isComplete; ) {
    isComplete = true;
    const names = (await listNames(work, 'index')).filter((name) => !seen.has(name));
    for await (const file of inOrder(
      names.map((name) => () => readIndexFile(work, name)),
      FILES_AT_ONCE,
    )) {
      if (file === null) isComplete = false;
      else if ('json' in file) files.push(addFile(index, file));
      else if (options.tolerateDamage) damaged.push(file);
      else throw new AppError('REPOSITORY_DAMAGED', { reason: `index ${file.name}: ${file.reason}` });
    }
    for (const name of names) seen.add(name);
  }
  return { index, files, damaged };
}

/** Names of all files of a type, in the order of names so that work is repeatable. */
export async function listNames(work: MaintenanceWork, type: 'index' | 'snapshots'): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of work.repository.list(type, work.signal)) names.push(name);
  return names.sort();
}

/** Null: the file has vanished. Parsed once without effect, so that a bad file adds nothing. */
async function readIndexFile(work: MaintenanceWork, name: string): Promise<ReadFile> {
  try {
    const json = await work.repository.readFile('index', name, work.signal);
    parseIndex(
      json,
      () => 0,
      () => {},
    );
    return { name, json };
  } catch (error) {
    work.signal.throwIfAborted();
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'STORAGE_NOT_FOUND') return null;
    if (error.code !== 'REPOSITORY_DAMAGED') throw error;
    return { name, reason: damageReason(error) };
  }
}

/** What is wrong, without the words around it. */
export function damageReason(error: unknown): string {
  if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return String(error.params.reason);
  return error instanceof Error ? error.message : String(error);
}

function addFile(index: BlobIndex, { name, json }: { readonly name: string; readonly json: Buffer }): IndexFile {
  const [firstPack, firstEntry] = [index.packCount, index.count];
  addIndexFile(index, json);
  return { name, firstPack, endPack: index.packCount, firstEntry, endEntry: index.count };
}
