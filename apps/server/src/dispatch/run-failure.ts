/** Turns what a run threw into what a record keeps. */
import { AppError, isErrorCode, toAppError } from '@backupx/contracts/errors';
import type { RunFailure } from './ports.ts';

/** Code and params give the reader message and hint later, in his language. */
export function runFailureOf(error: unknown): RunFailure {
  const known = toAppError(error, 'INTERNAL', { requestId: '-' });
  return { code: known.code, params: known.params, message: known.message };
}

/**
 * The failure with the name people gave the node: the engine knows its machine by host name only. A message that was
 * not made from the catalogue's template stays as it is.
 */
export function nameNode(failure: RunFailure, node: string): RunFailure {
  const { code, params, message } = failure;
  if (!node || !('node' in params) || params.node === node || !isErrorCode(code)) return failure;
  if (new AppError(code, params).message !== message) return failure;
  const named = { ...params, node };
  return { code, params: named, message: new AppError(code, named).message };
}

export const cancelledFailure: RunFailure = runFailureOf(new AppError('CANCELLED'));

export const interruptedFailure: RunFailure = {
  code: 'SHUTTING_DOWN',
  params: {},
  message: 'The server stopped while this was running.',
};
