import { AppError } from '@backupx/contracts/errors';

export interface TimeLimit {
  /** For the message. */
  readonly what: string;
  readonly seconds: number;
  /** Ends it before. */
  readonly signal: AbortSignal;
}

/** Gives `work` a signal that is also aborted, with TIMEOUT, when the time is over. */
export async function withTimeLimit<T>(limit: TimeLimit, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { what, seconds } = limit;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new AppError('TIMEOUT', { what, seconds })), seconds * 1000);
  try {
    return await work(AbortSignal.any([limit.signal, over.signal]));
  } finally {
    clearTimeout(timer);
  }
}
