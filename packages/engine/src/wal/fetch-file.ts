/** Brings one file of the log back. That a file is not there ends a recovery, so nothing else may look like it. */
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { writeWholeFile } from '../direct-storage/write-whole-file.ts';
import type { StoredWal } from './archive-keys.ts';
import { comparePartial, type Progress } from './compare-partial.ts';
import { isSegmentBeside } from './segment-beside.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { parseWalName, type WalName } from './wal-names.ts';

/** Where a cluster keeps its identifier, in its first eight bytes; below the folder of its data. */
const CONTROL_FILE = 'global/pg_control';

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Asks again for ever, so a gap ends nothing. */
  readonly isStandby?: boolean;
}

/**
 * Writes the file `name` to `path`. False: the archive does not have it, nor what would come after it, unless the server
 * has the file itself. Throws WAL_SEGMENT_MISSING for a gap, WAL_ARCHIVE_MISSING when there is no archive at all, INVALID_INPUT for what is no name, WAL_OTHER_CLUSTER, WAL_CLUSTER_UNKNOWN, WAL_CONFLICT,
 * ARTIFACT_DAMAGED, ARTIFACT_KEY_…, and what the storage and the disk say; then `path` is as it was.
 */
export async function fetchFile(
  { name, path }: { name: string; path: string },
  archive: WalArchiveStore,
  { signal, isStandby = false }: FetchOptions,
): Promise<boolean> {
  const wal = parseWalName(name);
  // PostgreSQL asks for nothing else: such a call is one whose arguments were mixed up.
  if (!wal) {
    const message = 'must be the name of a segment or a history, as restore_command gets it';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '%f', code: 'invalid', message }] });
  }
  const found = await archive.find(wal, signal);
  const [stored] = found;
  const systemIdentifier = await clusterAround(path);
  if (!stored) {
    await assertIsEnd({ wal, path }, archive, { signal, isStandby, systemIdentifier });
    return false;
  }
  const expected: Record<string, string> = systemIdentifier === null ? {} : { systemIdentifier };
  try {
    const read = (one: StoredWal) => archive.open(one, signal, expected);
    const contents = [...Map.groupBy(found, ({ sha256 }) => sha256).values()];
    if (contents.length > 1 && wal.kind !== 'partial') throw new AppError('WAL_CONFLICT', { name });
    if (contents.length > 1) await writeFurthest({ path, name }, contents, read);
    else await writeAny(path, found, read);
  } catch (error) {
    if (systemIdentifier === null) throw error;
    const { systemIdentifier: owner } = await archive.cluster(signal);
    if (owner === systemIdentifier) throw error;
    throw new AppError('WAL_OTHER_CLUSTER', { expected: owner, found: systemIdentifier }, { cause: error });
  }
  return true;
}

/** The server takes "not there" for the end of the log, and would open the database to writers. */
async function assertIsEnd(
  { wal, path }: { readonly wal: WalName; readonly path: string },
  archive: WalArchiveStore,
  { signal, isStandby, systemIdentifier }: FetchOptions & { readonly systemIdentifier: string | null },
): Promise<void> {
  // The archive of another cluster has nothing to say about what this one lacks.
  const { systemIdentifier: owner } = await archive.cluster(signal);
  if (systemIdentifier !== null && owner !== systemIdentifier) {
    throw new AppError('WAL_OTHER_CLUSTER', { expected: owner, found: systemIdentifier });
  }
  const later = wal.kind === 'segment' && !isStandby ? await archive.findLater(wal, signal) : null;
  if (later === null) return;
  // The server takes its own next, and ours is not the last word on it.
  if (systemIdentifier !== null && (await isSegmentBeside({ wal, path, systemIdentifier }))) return;
  throw new AppError('WAL_SEGMENT_MISSING', { name: wal.name, later });
}

/** Two unfinished ones, as a kill leaves them: what goes on from all others. Throws WAL_CONFLICT when there is none. */
async function writeFurthest(
  { path, name }: { readonly path: string; readonly name: string },
  contents: readonly (readonly StoredWal[])[],
  read: (one: StoredWal) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const temp = `${path}.backupx-furthest`;
  try {
    for (const [index, same] of contents.entries()) {
      const progress = index === 0 ? 'more' : await compareFile(temp, same, read);
      if (progress === 'other') throw new AppError('WAL_CONFLICT', { name });
      if (progress === 'more') await writeAny(temp, same, read);
    }
    await rename(temp, path);
  } finally {
    await rm(temp, { force: true });
  }
}

async function compareFile(
  path: string,
  [one]: readonly StoredWal[],
  read: (one: StoredWal) => AsyncIterable<Uint8Array>,
): Promise<Progress> {
  const file = await open(path, 'r');
  try {
    return one ? await comparePartial(read(one), file) : 'less';
  } finally {
    await file.close();
  }
}

/** The same content may be there twice, encrypted and not. */
async function writeAny(
  path: string,
  stored: readonly StoredWal[],
  read: (one: StoredWal) => AsyncIterable<Uint8Array>,
): Promise<void> {
  for (const [index, one] of stored.entries()) {
    try {
      return await writeWholeFile(path, read(one), `${path}.backupx-part`);
    } catch (error) {
      const isOfThisOne = error instanceof AppError && error.code.startsWith('ARTIFACT_');
      if (!isOfThisOne || index === stored.length - 1) throw error;
    }
  }
}

/** Identifier of the cluster into whose log `path` is; null when it is no such place. */
async function clusterAround(path: string): Promise<string | null> {
  const control = join(dirname(dirname(resolve(path))), CONTROL_FILE);
  const start = Buffer.alloc(8);
  try {
    const file = await open(control, 'r');
    const { bytesRead } = await file.read(start, 0, 8, 0).finally(() => file.close());
    if (bytesRead < 8) throw new AppError('WAL_CLUSTER_UNKNOWN', { reason: `${control} is cut off` });
  } catch (error) {
    // Nothing else means that this is no place of a cluster: the log of another one must not pass for its own.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof AppError) throw error;
    const { message } = error as Error;
    throw new AppError('WAL_CLUSTER_UNKNOWN', { reason: `${control} cannot be read (${message})` }, { cause: error });
  }
  return start.readBigUInt64LE(0).toString();
}
