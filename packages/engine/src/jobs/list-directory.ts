import { lstat, opendir, stat } from 'node:fs/promises';
import { AppError } from '@backupx/contracts/errors';
import type { DirectoryEntry, ListDirectoryJob, ListDirectoryResult } from '@backupx/contracts/jobs';
import { displayPath, parseDisplayPath } from '../ports/display-path.ts';
import { orCancelled, throwIfCancelled } from '../ports/pull-body.ts';
import type { JobContext } from './job-context.ts';

const MAX_ENTRIES = 5000;
/** A folder with more names than this is cut off before sorting, to bound memory and time. */
const MAX_NAMES = 200_000;
const PARALLEL_STATS = 16;

interface Named {
  /** One character per byte. */
  readonly name: string;
  readonly isDir: boolean;
}

/**
 * Lists a folder of this machine: folders first, then by name; links to folders count as folders. Throws PATH_INVALID,
 * PATH_NOT_FOUND, PATH_NOT_DIRECTORY, PATH_PERMISSION. `''` means `/`.
 */
export async function listDirectory(job: ListDirectoryJob, context: JobContext): Promise<ListDirectoryResult> {
  const shown = job.path === '' ? '/' : job.path;
  if (!shown.startsWith('/')) throw new AppError('PATH_INVALID', { path: shown, reason: 'it is not absolute' });
  if (shown.includes('\0')) throw new AppError('PATH_INVALID', { path: shown, reason: 'it holds a zero byte' });
  const folder = Buffer.from(parseDisplayPath(shown))
    .toString('latin1')
    .replace(/(?<=.)\/+$/, '');
  // A file system that hangs (a dead network share) must not hold the answer for ever.
  return orCancelled(listFolder(folder, shown, context.signal), context.signal);
}

async function listFolder(folder: string, shown: string, signal: AbortSignal): Promise<ListDirectoryResult> {
  try {
    const { names, isCut } = await readNames(folder, signal);
    names.sort(compareNames);
    const kept = names.slice(0, MAX_ENTRIES);
    const entries = await mapInParallel(kept, (item) => describeEntry(folder, item), signal);
    const truncated = isCut || names.length > kept.length;
    return { entries: entries.filter((entry) => entry !== null), ...(truncated ? { truncated } : {}) };
  } catch (error) {
    throw pathError(error, shown);
  }
}

async function readNames(folder: string, signal: AbortSignal): Promise<{ names: Named[]; isCut: boolean }> {
  const names: Named[] = [];
  const links: string[] = [];
  let isCut = false;
  // The types know text paths only; bytes are accepted and needed for names that are not UTF-8.
  const opened = await opendir(toBytes(folder) as unknown as string, { encoding: 'latin1', bufferSize: 512 });
  for await (const item of opened) {
    throwIfCancelled(signal);
    if (names.length + links.length >= MAX_NAMES) {
      isCut = true;
      break;
    }
    if (item.isSymbolicLink()) links.push(item.name);
    else names.push({ name: item.name, isDir: item.isDirectory() });
  }
  const followed = await mapInParallel(links, async (name) => ({ name, isDir: await isFolder(folder, name) }), signal);
  return { names: [...names, ...followed], isCut };
}

function toBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

function joinName(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

async function isFolder(folder: string, name: string): Promise<boolean> {
  const stats = await stat(toBytes(joinName(folder, name))).catch(() => null);
  return stats?.isDirectory() ?? false;
}

function compareNames(a: Named, b: Named): number {
  if (a.isDir !== b.isDir) return a.isDir ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Null when the item is gone by now. */
async function describeEntry(folder: string, { name, isDir }: Named): Promise<DirectoryEntry | null> {
  const path = joinName(folder, name);
  const stats = await lstat(toBytes(path)).catch(() => null);
  if (!stats) return null;
  const size = isDir ? 0 : stats.size;
  return { name: displayPath(toBytes(name)), path: displayPath(toBytes(path)), isDir, size };
}

async function mapInParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  signal: AbortSignal,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += PARALLEL_STATS) {
    throwIfCancelled(signal);
    results.push(...(await Promise.all(items.slice(at, at + PARALLEL_STATS).map(work))));
  }
  return results;
}

function pathError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT') return new AppError('PATH_NOT_FOUND', { path }, { cause: error });
  if (code === 'ENOTDIR') return new AppError('PATH_NOT_DIRECTORY', { path }, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') return new AppError('PATH_PERMISSION', { path }, { cause: error });
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError('PATH_INVALID', { path, reason }, { cause: error });
}
