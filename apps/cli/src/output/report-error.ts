import { AppError, type ErrorCode, isErrorCode, toAppError } from '@backupx/contracts/errors';
import { printable } from './format.ts';
import type { Terminal } from './terminal.ts';

/** A failure the master answered, with its own words where it sent some. */
export class AnswerError extends AppError {
  readonly answeredHint: string | null;
  readonly requestId: string | null;
  readonly answeredExitCode: number | null;

  constructor(answer: {
    code: string;
    status: number;
    message: string;
    hint?: string;
    requestId?: string;
    fields?: readonly { path: string; code: string; message: string }[];
  }) {
    super(isErrorCode(answer.code) ? answer.code : 'INTERNAL', {}, { fields: answer.fields });
    this.message = answer.message;
    this.answeredHint = answer.hint ?? null;
    this.requestId = answer.requestId ?? null;
    this.answeredExitCode = isErrorCode(answer.code) ? null : exitCodeOfStatus(answer.status);
  }
}

/** For codes of a newer or older master that this program does not know. */
function exitCodeOfStatus(status: number): number {
  return { 401: 4, 403: 5, 404: 6, 409: 11, 502: 7, 503: 7, 504: 124 }[status] ?? 1;
}

/** Says what, why and what next on stderr; answers the exit code. */
export function reportError(error: unknown, terminal: Terminal): number {
  const failure = toAppError(error);
  const isOurs = error instanceof AppError;
  terminal.say(
    `backupx: ${printable(isOurs ? failure.message : `unexpected error: ${(error as Error).stack ?? error}`)}`,
  );
  for (const field of failure.fields) terminal.say(`  ${printable(field.path)}: ${printable(field.message)}`);
  if (!isOurs) return 1;
  const answered = failure instanceof AnswerError ? failure : null;
  const hint = answered?.answeredHint ?? failure.hint;
  if (hint) terminal.say(printable(hint));
  const request = answered?.requestId ? `, request ${answered.requestId}` : '';
  terminal.say(`(${failure.code}${request})`);
  return answered?.answeredExitCode ?? failure.definition.exitCode;
}

/** Exit code of a run that ended with `status` and perhaps an error code. */
export function exitCodeOfRun(run: { status: string; errorCode: string }): number {
  if (run.status === 'success') return 0;
  if (run.status === 'warning') return 3;
  return isErrorCode(run.errorCode) ? new AppError(run.errorCode as ErrorCode).definition.exitCode : 1;
}
