/** The HTTP API as typed calls, inferred from the same contracts the master validates with. */
import type {
  ClientBodyOf,
  ClientOutputOf,
  ClientParamsOf,
  ClientQueryOf,
  ErrorAnswer,
  RouteContract,
} from '@backupx/contracts/define-route';
import { AppError } from '@backupx/contracts/errors';
import { AnswerError } from '../output/report-error.ts';

export interface CallInput<R extends RouteContract> {
  readonly params?: ClientParamsOf<R>;
  readonly query?: ClientQueryOf<R>;
  readonly body?: ClientBodyOf<R>;
}

export interface ApiClient {
  readonly url: string;
  /** Answers the `data` of the envelope. Throws AppError. */
  call<R extends RouteContract>(route: R, input?: CallInput<R>): Promise<ClientOutputOf<R>>;
}

const timeLimitMs = 60_000;

/** `token`: session token or API key; null for public routes only. */
export function createApiClient(url: string, token: string | null): ApiClient {
  const base = url.replace(/\/+$/, '');
  return {
    url: base,
    async call(route, input = {}) {
      const address = base + fillPath(route.path, input.params) + queryText(input.query);
      const headers: Record<string, string> = { accept: 'application/json' };
      if (token !== null) headers.authorization = `Bearer ${token}`;
      if (input.body !== undefined) headers['content-type'] = 'application/json';
      const answer = await send(base, address, {
        method: route.method,
        headers,
        body: input.body === undefined ? undefined : JSON.stringify(input.body),
        // The token must not travel to another address.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeLimitMs),
      });
      return readAnswer(base, answer) as never;
    },
  };
}

interface RawAnswer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

async function send(url: string, address: string, request: RequestInit): Promise<RawAnswer> {
  try {
    const response = await fetch(address, request);
    return { status: response.status, location: response.headers.get('location'), text: await response.text() };
  } catch (cause) {
    const inner = (cause as { cause?: Error }).cause;
    const isTimeout = (cause as Error).name === 'TimeoutError';
    const reason = isTimeout
      ? `no answer within ${timeLimitMs / 1000} s`
      : (inner?.message ?? (cause as Error).message);
    throw new AppError('MASTER_UNREACHABLE', { url, reason }, { cause });
  }
}

function readAnswer(url: string, answer: RawAnswer): unknown {
  if (answer.status >= 300 && answer.status < 400) {
    const reason = `it redirects to ${answer.location}; use that address`;
    throw new AppError('MASTER_UNREACHABLE', { url, reason });
  }
  let parsed: Partial<ErrorAnswer> & { data?: unknown };
  try {
    parsed = JSON.parse(answer.text);
  } catch (cause) {
    throw new AppError('MASTER_WRONG_CONTENT', { url }, { cause });
  }
  if (parsed?.code === 'OK') return parsed.data;
  if (typeof parsed?.code !== 'string') throw new AppError('MASTER_WRONG_CONTENT', { url });
  const { code, message = code, hint, requestId, fields } = parsed;
  throw new AnswerError({ code, status: answer.status, message, hint, requestId, fields });
}

function fillPath(path: string, params: unknown): string {
  const values = (params ?? {}) as Record<string, unknown>;
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(values[name])));
}

function queryText(query: unknown): string {
  const pairs = Object.entries((query ?? {}) as Record<string, unknown>).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return '';
  return `?${new URLSearchParams(Object.fromEntries(pairs.map(([name, value]) => [name, String(value)])))}`;
}
