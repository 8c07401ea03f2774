/**
 * The only way from the agent to its master: HTTP with the node token, JSON in the envelope.
 *
 * Never follows a redirect (the token would travel to another host), gives up after a time limit, and turns everything
 * that can go wrong into a `MasterError` that says whether the master has clearly refused or may yet accept.
 */
import { getCACertificates } from 'node:tls';
import {
  AGENT_PROTOCOL_HEADER,
  AGENT_PROTOCOL_VERSION,
  AGENT_TOKEN_HEADER,
  agentTimings,
} from '@backupx/contracts/agent-protocol';
import { AppError, type ErrorCode, type ErrorParams, isErrorCode } from '@backupx/contracts/errors';
import { type Dispatcher, EnvHttpProxyAgent, ProxyAgent, request, Socks5ProxyAgent } from 'undici';

/** Answers beyond this size are not read: no message of the master comes near it. */
const maxAnswerBytes = 16 * 1024 * 1024;

export interface ConnectionSettings {
  readonly masterUrl: string;
  readonly token: string;
  readonly proxyUrl: string | null;
  readonly caCertificate: string | null;
  readonly insecureTls: boolean;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

export interface MasterConnection {
  readonly masterUrl: string;
  /** Answers `data` of the envelope. Throws `MasterError`; the signal's reason when aborted. */
  call(method: 'GET' | 'POST', path: string, options?: CallOptions): Promise<unknown>;
  close(): Promise<void>;
}

/** How a call to the master failed. */
export class MasterError extends AppError {
  /** HTTP status; 0 when no answer came. */
  readonly httpStatus: number;
  /** Code the master answered, whatever it was. */
  readonly remoteCode: string;
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, params: ErrorParams, answer: Partial<MasterAnswer> & { cause?: unknown } = {}) {
    super(code, params, { cause: answer.cause });
    this.name = 'MasterError';
    this.httpStatus = answer.httpStatus ?? 0;
    this.remoteCode = answer.remoteCode ?? '';
    this.retryAfterMs = answer.retryAfterMs ?? 0;
    if (answer.message) this.message = answer.message;
  }

  /** The master understood and said no; asking again unchanged is pointless. */
  get isRefusal(): boolean {
    return this.httpStatus >= 400 && this.httpStatus < 500 && ![408, 425, 429].includes(this.httpStatus);
  }
}

interface MasterAnswer {
  readonly httpStatus: number;
  readonly remoteCode: string;
  readonly retryAfterMs: number;
  readonly message: string;
}

export function createMasterConnection(settings: ConnectionSettings): MasterConnection {
  const dispatcher = createDispatcher(settings);
  const headers = {
    accept: 'application/json',
    [AGENT_TOKEN_HEADER]: settings.token,
    [AGENT_PROTOCOL_HEADER]: String(AGENT_PROTOCOL_VERSION),
  };

  async function call(method: 'GET' | 'POST', path: string, options: CallOptions = {}): Promise<unknown> {
    const url = settings.masterUrl + path;
    const limit = AbortSignal.timeout(options.timeoutMs ?? agentTimings.requestTimeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    let answer: Dispatcher.ResponseData;
    let text: string;
    try {
      answer = await request(url, {
        method,
        dispatcher,
        signal,
        body,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      });
      text = await readText(answer.body);
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      const reason = limit.aborted ? 'no answer within the time limit' : networkReason(error);
      throw new MasterError('MASTER_UNREACHABLE', { url: settings.masterUrl, reason }, { cause: error });
    }
    return readAnswer({ url, text, status: answer.statusCode, headers: answer.headers });
  }

  return { masterUrl: settings.masterUrl, call, close: () => dispatcher.destroy() };
}

function createDispatcher(settings: ConnectionSettings): Dispatcher {
  const tls = {
    rejectUnauthorized: !settings.insecureTls,
    // A private authority is added to the public ones, it does not replace them.
    ...(settings.caCertificate ? { ca: [...getCACertificates('default'), settings.caCertificate] } : {}),
  };
  // Per-request signals limit the time; the defaults of the library would cut long polls.
  const times = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 4_000 };
  const connect = { ...tls, timeout: 15_000 };
  if (settings.proxyUrl?.startsWith('socks5')) {
    const uri = settings.proxyUrl.replace(/^socks5h:/, 'socks5:');
    return new Socks5ProxyAgent(uri, { ...times, requestTls: tls });
  }
  if (settings.proxyUrl) return new ProxyAgent({ uri: settings.proxyUrl, ...times, requestTls: tls, proxyTls: tls });
  // Obeys HTTP_PROXY, HTTPS_PROXY and NO_PROXY; direct when none is set.
  return new EnvHttpProxyAgent({ ...times, connect, requestTls: tls });
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxAnswerBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readAnswer(answer: {
  url: string;
  text: string;
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}): unknown {
  const { url, status } = answer;
  if (status >= 300 && status < 400) {
    const location = String(answer.headers.location ?? 'nowhere');
    const reason = `it redirects to ${location}; set the agent's master to the final address`;
    throw new MasterError('MASTER_UNREACHABLE', { url, reason });
  }
  const retryAfterMs = Math.max(0, Number(answer.headers['retry-after'] ?? 0) * 1000) || 0;
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer.text);
  } catch (cause) {
    // A gateway's error page (502, 504) is an outage; a page where data should be is a wrong address.
    if (status >= 500) {
      throw new MasterError('MASTER_UNREACHABLE', { url, reason: `HTTP ${status}` }, { retryAfterMs, cause });
    }
    throw new MasterError('MASTER_WRONG_CONTENT', { url }, { retryAfterMs, cause });
  }
  const envelope = parsed !== null && typeof parsed === 'object' ? (parsed as Record<string, unknown>) : {};
  if (status >= 200 && status < 300) return 'data' in envelope ? envelope.data : parsed;
  throw refusal({ url, status, retryAfterMs, envelope });
}

function refusal(answer: {
  url: string;
  status: number;
  retryAfterMs: number;
  envelope: Record<string, unknown>;
}): MasterError {
  const remoteCode = typeof answer.envelope.code === 'string' ? answer.envelope.code : '';
  const message = typeof answer.envelope.message === 'string' ? answer.envelope.message : `HTTP ${answer.status}`;
  const details = { httpStatus: answer.status, remoteCode, retryAfterMs: answer.retryAfterMs };
  if (remoteCode === '') return new MasterError('MASTER_WRONG_CONTENT', { url: answer.url }, details);
  if (isErrorCode(remoteCode)) return new MasterError(remoteCode, {}, { ...details, message });
  const reason = `${message} (HTTP ${answer.status} ${remoteCode})`;
  return new MasterError('MASTER_UNREACHABLE', { url: answer.url, reason }, details);
}

/** The innermost system error says more than the wrappers around it. */
function networkReason(error: unknown): string {
  let current = error as (Error & { code?: string; cause?: unknown; errors?: unknown[] }) | undefined;
  for (let depth = 0; depth < 5; depth++) {
    const inner = (current?.cause ?? current?.errors?.[0]) as typeof current;
    if (!inner) break;
    current = inner;
  }
  return current?.message || current?.code || String(error);
}
