/** HTTP requests of an agent to its master, with private CA and proxy (CONNECT). Redirects are refused. */
import type http from 'node:http';
import { AppError } from '@backupx/contracts/errors';
import type { RelaySettings } from '../ports/engine.ts';
import { createHttpAgent } from '../ports/http-agent.ts';
import { nodeHttp, nodeHttps } from '../ports/node-http.ts';
import { cancelledError } from '../ports/pull-body.ts';

/** Longest silence on the wire, in milliseconds. */
const IDLE_TIMEOUT_MS = 120_000;

export interface RelayRequest {
  readonly method: 'GET' | 'PUT';
  /** Begins with `/api/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface OpenRequest {
  readonly request: http.ClientRequest;
  readonly response: Promise<http.IncomingMessage>;
}

/** Starts a request; the caller writes the body and ends it. Its failures are MASTER_UNREACHABLE and CANCELLED. */
export async function openRelayRequest(relay: RelaySettings, options: RelayRequest): Promise<OpenRequest> {
  const url = new URL(relay.masterUrl + options.path);
  const request = (url.protocol === 'https:' ? nodeHttps : nodeHttp).request(url, {
    method: options.method,
    headers: { ...options.headers, 'x-agent-token': relay.token },
    signal: options.signal,
    agent: createHttpAgent(url, relay, { keepAlive: false }),
  });
  request.setTimeout(IDLE_TIMEOUT_MS, () => request.destroy(new Error('no answer within 120 s')));
  const response = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (error) => reject(unreachable(relay, error, options.signal)));
  });
  response.catch(() => {});
  return { request, response };
}

export function unreachable(relay: RelaySettings, error: unknown, signal: AbortSignal): AppError {
  if (signal.aborted) return cancelledError(signal);
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError('MASTER_UNREACHABLE', { url: relay.masterUrl, reason }, { cause: error });
}
