/** Requests to one repository on a REST server, over connections that stay open between them. */
import type http from 'node:http';
import { decodePercent } from '@backupx/contracts/decode-percent';
import { AppError } from '@backupx/contracts/errors';
import { createHttpAgent, type HttpRoute } from '../../ports/http-agent.ts';
import { nodeHttp, nodeHttps } from '../../ports/node-http.ts';
import { createPatience, type Patience } from './patience.ts';
import { connectionError } from './rest-error.ts';

export interface RestAddress extends HttpRoute {
  /** `http(s)://host/path/`; may hold user and password, may begin with `rest:` as restic writes it. */
  readonly url: string;
  /** Token of a node, for our master. */
  readonly token?: string | undefined;
  /** For HTTP basic authentication; win over those in the address. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

export interface RestRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  /** Below the repository; may have a query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A request under way. The caller writes its body, ends it, and calls `finish` when it is through with it. */
export interface OpenRequest {
  readonly request: http.ClientRequest;
  /** Rejects with STORAGE_UNREACHABLE or CANCELLED. */
  readonly response: Promise<http.IncomingMessage>;
  readonly patience: Patience;
  /** Gives the connection back when everything was read, closes it otherwise. */
  finish(): void;
}

export interface RestConnection {
  /** For people; without credentials. */
  readonly label: string;
  open(request: RestRequest): OpenRequest;
  close(): void;
}

/** Longest time without a sign of the server. Long, because a storage behind it may be slow to take a pack. */
const SILENCE_MS = 180_000;
/** Below what servers and proxies use (60 s and more), so that a request never meets a connection that just closed. */
const IDLE_CONNECTION_MS = 20_000;

/** Never does I/O. Throws STORAGE_CONFIG for an address that is none. */
export function createRestConnection(address: RestAddress): RestConnection {
  const { base, authorization } = readAddress(address);
  const agent = createHttpAgent(base, address, { keepAlive: true, timeout: IDLE_CONNECTION_MS });
  const credentials: Record<string, string> = {
    ...(address.token ? { 'x-agent-token': address.token } : authorization ? { authorization } : {}),
  };
  return {
    label: base.href,
    open({ method, path, headers, signal }) {
      const request = (base.protocol === 'https:' ? nodeHttps : nodeHttp).request(new URL(path, base), {
        method,
        agent,
        headers: { ...headers, ...credentials },
        signal,
      });
      request.setTimeout(0);
      const seconds = SILENCE_MS / 1000;
      const patience = createPatience(SILENCE_MS, () => request.destroy(new Error(`no answer within ${seconds} s`)));
      let isRead = () => false;
      const response = new Promise<http.IncomingMessage>((resolve, reject) => {
        request.once('response', (answer) => {
          isRead = () => answer.complete;
          resolve(answer);
        });
        request.on('error', (error) => reject(connectionError(error, signal)));
      });
      response.catch(() => {});
      const finish = () => {
        patience.stop();
        if (!request.writableFinished || !isRead()) request.destroy();
      };
      return { request, response, patience, finish };
    },
    close: () => agent.destroy(),
  };
}

function readAddress({ url, user, password }: RestAddress): { base: URL; authorization: string | null } {
  const base = URL.parse(url.replace(/^rest:/, ''));
  if (!base || !/^https?:$/.test(base.protocol) || base.search !== '' || base.hash !== '') {
    // Not with the address: it may hold a password.
    throw new AppError('STORAGE_CONFIG', { reason: 'the address must look like https://host/path/' });
  }
  const name = user ?? decodePercent(base.username);
  const secret = password ?? decodePercent(base.password);
  base.username = '';
  base.password = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const isAnonymous = name === '' && secret === '';
  return { base, authorization: isAnonymous ? null : `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` };
}
