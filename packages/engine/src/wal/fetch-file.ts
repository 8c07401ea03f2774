/** Brings one file of the log back. That a file is not there ends a recovery, so nothing else may look like it. */
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { writeWholeFile } from '../direct-storage/write-whole-file.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { parseWalName } from './wal-names.ts';

/** Where a cluster keeps its identifier, in its first eight bytes; below the folder of its data. */
const CONTROL_FILE = 'global/pg_control';

export interface FetchOptions {
  readonly signal: AbortSignal;
}

/**
 * Writes the file `name` to `path`. False: the archive does not have it. Throws WAL_ARCHIVE_MISSING when there is no
 * archive at all, INVALID_INPUT for what is no name, WAL_OTHER_CLUSTER, WAL_CLUSTER_UNKNOWN, WAL_CONFLICT,
 * ARTIFACT_DAMAGED, ARTIFACT_KEY_…, and what the storage and the disk say; then `path` is as it was.
 */
export async function fetchFile(
  { name, path }: { name: string; path: string },
  archive: WalArchiveStore,
  { signal }: FetchOptions,
): Promise<boolean> {
  const wal = parseWalName(name);
  // PostgreSQL asks for nothing else: such a call is one whose arguments were mixed up.
  if (!wal) {
    const message = 'must be the name of a segment or a history, as restore_command gets it';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '%f', code: 'invalid', message }] });
  }
  const found = await archive.find(wal, signal);
  const [stored, other] = found;
  const systemIdentifier = await clusterAround(path);
  if (!stored) {
    // The archive of another cluster has nothing to say about what this one lacks.
    const { systemIdentifier: owner } = await archive.cluster(signal);
    if (systemIdentifier === null || owner === systemIdentifier) return false;
    throw new AppError('WAL_OTHER_CLUSTER', { expected: owner, found: systemIdentifier });
  }
  if (other) throw new AppError('WAL_CONFLICT', { name });
  const expected: Record<string, string> = systemIdentifier === null ? {} : { systemIdentifier };
  try {
    await writeWholeFile(path, archive.open(stored, signal, expected), `${path}.backupx-part`);
  } catch (error) {
    if (systemIdentifier === null) throw error;
    const { systemIdentifier: owner } = await archive.cluster(signal);
    if (owner === systemIdentifier) throw error;
    throw new AppError('WAL_OTHER_CLUSTER', { expected: owner, found: systemIdentifier }, { cause: error });
  }
  return true;
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
