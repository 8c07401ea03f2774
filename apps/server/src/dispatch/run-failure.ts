/** Turns what a run threw into what a record keeps. */
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RunFailure } from './ports.ts';

/** Code and params give the reader message and hint later, in his language. */
export function runFailureOf(error: unknown): RunFailure {
  const known = toAppError(error, 'INTERNAL', { requestId: '-' });
  return { code: known.code, params: known.params, message: known.message };
}

export const cancelledFailure: RunFailure = runFailureOf(new AppError('CANCELLED'));

export const interruptedFailure: RunFailure = {
  code: 'SHUTTING_DOWN',
  params: {},
  message: 'The server stopped while this was running.',
};
