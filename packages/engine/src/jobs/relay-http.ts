/** HTTP requests of an agent to its master, with private CA and proxy (CONNECT). Redirects are refused. */
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { AppError } from '@backupx/contracts/errors';
import type { RelaySettings } from '../ports/engine.ts';
import { cancelledError } from '../ports/pull-body.ts';

/** Longest silence on the wire, in milliseconds. */
const IDLE_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 30_000;

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

/** Starts a request; the caller writes the body and ends it. Throws MASTER_UNREACHABLE, CANCELLED. */
export async function openRelayRequest(relay: RelaySettings, options: RelayRequest): Promise<OpenRequest> {
  const url = new URL(relay.masterUrl + options.path);
  const tunnel = relay.proxyUrl ? await connectThroughProxy(new URL(relay.proxyUrl), url, relay, options.signal) : null;
  const secure = url.protocol === 'https:';
  const tlsOptions = { ca: relay.caCertificate, rejectUnauthorized: !relay.insecureTls };
  const request = (secure ? https : http).request(url, {
    method: options.method,
    headers: { ...options.headers, 'x-agent-token': relay.token },
    signal: options.signal,
    agent: false,
    ...(secure ? tlsOptions : {}),
    ...(tunnel
      ? {
          createConnection: () =>
            secure ? tls.connect({ ...tlsOptions, socket: tunnel, servername: url.hostname }) : (tunnel as never),
        }
      : {}),
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

function connectThroughProxy(proxy: URL, url: URL, relay: RelaySettings, signal: AbortSignal): Promise<Duplex> {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const request = (proxy.protocol === 'https:' ? https : http).request({
    host: proxy.hostname,
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    method: 'CONNECT',
    path: `${url.hostname}:${port}`,
    headers: proxy.username ? { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` } : {},
    agent: false,
    signal,
    timeout: CONNECT_TIMEOUT_MS,
  });
  return new Promise((resolve, reject) => {
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(unreachable(relay, new Error(`the proxy answered ${response.statusCode}`), signal));
      }
    });
    request.once('timeout', () => request.destroy(new Error('the proxy did not answer within 30 s')));
    request.once('error', (error) => reject(unreachable(relay, error, signal)));
    request.end();
  });
}
