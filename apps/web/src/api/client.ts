/**
 * The typed fetch client. One function, `call`, knows the envelope, the CSRF header, the language and how an answer
 * that is not ours (a proxy's page, no answer at all) becomes an `ApiError`. Retries are the query library's business.
 */
import type { ErrorAnswer } from '@backupx/contracts/define-route';
import { type AnswerOf, type InputOf, type RouteName, routeTable } from './route-table.ts';

/** Every failed call; `code` is a catalogue code, or `NO_CONNECTION` or `NOT_OUR_ANSWER`; texts are as the server sent them. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly hint: string;
  readonly requestId: string;
  readonly fields: readonly { path: string; code: string; message: string }[];

  constructor(status: number, answer: ErrorAnswer, cause?: unknown) {
    super(answer.message, { cause });
    this.name = 'ApiError';
    this.status = status;
    this.code = answer.code;
    this.hint = answer.hint ?? '';
    this.requestId = answer.requestId ?? '';
    this.fields = answer.fields ?? [];
  }
}

let csrfToken = '';
let language = 'en';
let onSessionEnded: () => void = () => {};

/** Remembers what every following call sends; the CSRF token comes with login, set-up and profile. */
export function configureClient(options: { csrfToken?: string; language?: string; onSessionEnded?: () => void }): void {
  csrfToken = options.csrfToken ?? csrfToken;
  language = options.language ?? language;
  onSessionEnded = options.onSessionEnded ?? onSessionEnded;
}

const noConnection = (cause: unknown) => new ApiError(0, { code: 'NO_CONNECTION', message: '' }, cause);

/** `fetch` with our headers; throws ApiError for everything but a 2xx answer. */
export async function request(address: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('Accept-Language', language);
  if (init.method && init.method !== 'GET' && csrfToken) headers.set('X-CSRF-Token', csrfToken);
  let response: Response;
  try {
    response = await fetch(address, { ...init, headers, credentials: 'same-origin' });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw noConnection(cause);
  }
  if (response.ok) return response;
  const answer = (await response.json().catch(() => null)) as ErrorAnswer | null;
  const error = new ApiError(
    response.status,
    typeof answer?.code === 'string' ? answer : { code: 'NOT_OUR_ANSWER', message: '' },
  );
  if (error.code === 'AUTH_REQUIRED') onSessionEnded();
  throw error;
}

function buildPath(template: string, params: Record<string, unknown> = {}): string {
  return template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

function buildQuery(query: Record<string, unknown> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text && `?${text}`;
}

/** Calls a route of the contract and answers what is inside the envelope. Throws ApiError. */
export async function call<N extends RouteName>(name: N, input: InputOf<N>): Promise<AnswerOf<N>> {
  const [method, template] = routeTable[name].split(' ') as [string, string];
  const { params, query, body, signal } = input as {
    params?: Record<string, unknown>;
    query?: Record<string, unknown>;
    body?: unknown;
    signal?: AbortSignal;
  };
  const hasBody = method !== 'GET' && body !== undefined;
  const response = await request(buildPath(template, params) + buildQuery(query), {
    method,
    signal,
    ...(hasBody ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {}),
  });
  const answer = (await response.json().catch(() => null)) as { code?: string; data?: AnswerOf<N> } | null;
  if (answer?.code !== 'OK') throw new ApiError(response.status, { code: 'NOT_OUR_ANSWER', message: '' });
  return answer.data as AnswerOf<N>;
}
