import { AppError, type AppErrorData, toAppError } from '@backupx/contracts/errors';

/** An AppError on its way between threads, with its causes as text for the log. */
export interface ThreadError {
  readonly error: AppErrorData;
  readonly causeText: string | null;
}

export function packError(error: unknown): ThreadError {
  const appError = toAppError(error);
  return { error: appError.toJSON(), causeText: appError.cause === undefined ? null : describeCause(appError.cause) };
}

export function unpackError({ error, causeText }: ThreadError): AppError {
  const cause = causeText === null ? undefined : new Error(causeText);
  return new AppError(error.code, error.params, { fields: error.fields, cause });
}

function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const own = cause.stack ?? cause.message;
  return cause.cause === undefined ? own : `${own}\ncaused by: ${describeCause(cause.cause)}`;
}
