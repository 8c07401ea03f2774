import { AppError, toAppError } from '@backupx/contracts/errors';

/** REPOSITORY_LOCK_LOST, because of `cause`; one that is that already stays as it is. */
export function lockLostError(cause: unknown): AppError {
  if (isLockLost(cause)) return cause;
  const reason = toAppError(cause, 'STORAGE_FAILED', { reason: String(cause) }).message;
  return new AppError('REPOSITORY_LOCK_LOST', { reason }, { cause });
}

/** Whether the lock on a repository is what was lost. */
export function isLockLost(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'REPOSITORY_LOCK_LOST';
}
