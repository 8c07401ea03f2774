import { AppError } from '@backupx/contracts/errors';

/** Nobody answers. A storage that answers with an error of its own seldom changes its mind within minutes. */
export const isOutage = (error: unknown): error is AppError =>
  error instanceof AppError && (error.code === 'STORAGE_UNREACHABLE' || error.code === 'MASTER_UNREACHABLE');
