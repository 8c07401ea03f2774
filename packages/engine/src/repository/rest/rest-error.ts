/** What a REST server's refusals mean in the words of the storage port. */
import type http from 'node:http';
import { AppError, type ErrorCode, isErrorCode } from '@backupx/contracts/errors';
import { cancelledError } from '../../ports/pull-body.ts';
import { isTrustCode } from '../../ports/tls-trust.ts';

/** Our master explains itself in JSON; these codes go through unchanged, the rest is judged by status. */
const spoken: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STORAGE_CONFIG',
  'STORAGE_FAILED',
  'STORAGE_FULL',
  'STORAGE_PERMISSION',
  'STORAGE_UNREACHABLE',
  'REPOSITORY_APPEND_ONLY',
]);
const MAX_ANSWER_BYTES = 64 * 1024;
const BUSY = new Set([408, 425, 429, 502, 503, 504]);

/** What the server said besides the status; `code` null for servers that are not ours. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode | null;
  readonly message: string;
}

/** Reads a refusal to its end; never throws. */
export async function readRefusal(answer: http.IncomingMessage): Promise<Refusal> {
  const status = answer.statusCode ?? 0;
  let text = '';
  try {
    for await (const chunk of answer.setEncoding('utf8')) {
      text += chunk as string;
      if (text.length > MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status alone has to do.
  }
  const { code, message, fields } = parse(text);
  const details = fields?.map((field) => field.message).join('; ');
  return {
    status,
    code: typeof code === 'string' && isErrorCode(code) ? code : null,
    message: details || message || `the server answered ${status}`,
  };
}

interface Explanation {
  readonly code?: unknown;
  readonly message?: string;
  readonly fields?: readonly { readonly message: string }[];
}

function parse(text: string): Explanation {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

export function refusalError({ status, code, message }: Refusal, key: string): AppError {
  if (code !== null && spoken.has(code)) return new AppError(code, { reason: message });
  if (status === 401)
    return new AppError('STORAGE_PERMISSION', { reason: 'the server does not know these credentials' });
  if (status === 403) return new AppError('STORAGE_PERMISSION', { reason: message });
  if (status === 404) return new AppError('STORAGE_NOT_FOUND', { key });
  if (status === 507) return new AppError('STORAGE_FULL', { reason: message });
  if (status >= 300 && status < 400) {
    return new AppError('STORAGE_CONFIG', { reason: 'the server sends us to another address' });
  }
  return new AppError(BUSY.has(status) ? 'STORAGE_UNREACHABLE' : 'STORAGE_FAILED', { reason: message });
}

/** A connection that failed, or was given up by us. */
export function connectionError(error: unknown, signal: AbortSignal): AppError {
  if (error instanceof AppError) return error;
  if (signal.aborted) return cancelledError(signal);
  const reason = error instanceof Error ? error.message : String(error);
  const isTrust = isTrustCode(String((error as NodeJS.ErrnoException | null)?.code ?? ''));
  return new AppError(isTrust ? 'STORAGE_CONFIG' : 'STORAGE_UNREACHABLE', { reason }, { cause: error });
}

/** Something answers there, but no REST server of restic's kind. */
export function notRestError(): AppError {
  return new AppError('STORAGE_CONFIG', { reason: 'the address does not answer like a restic REST server' });
}
