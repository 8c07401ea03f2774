import { AppError } from '@backupx/contracts/errors';

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** STORAGE_FULL for what the file system says of a temporary folder without room; all else as it is. */
export function tempFolderError(error: unknown): unknown {
  if (!FULL.has(String((error as NodeJS.ErrnoException | null)?.code))) return error;
  return new AppError('STORAGE_FULL', { reason: 'the folder for temporary files is full' }, { cause: error });
}
