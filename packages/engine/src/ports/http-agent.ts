/**
 * Connections of an agent that may have to pass a proxy (by CONNECT, so that the proxy sees no content of TLS) and may
 * trust a private CA. One agent per place; with `keepAlive` its connections serve many requests.
 */
import type http from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { decodePercent } from '@backupx/contracts/decode-percent';
import { nodeHttp, nodeHttps } from './node-http.ts';

/** How a server is reached. */
export interface HttpRoute {
  /** May hold user and password. */
  readonly proxyUrl?: string | undefined;
  /** PEM text. */
  readonly caCertificate?: string | undefined;
  readonly insecureTls?: boolean | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;

type Created = (error: Error | null, socket?: Duplex) => void;

export interface HttpAgentOptions {
  readonly keepAlive: boolean;
  /** A connection that is kept alive and not used for this long is closed, in milliseconds; left out: it stays. */
  readonly timeout?: number;
}

/** Connections to the server at `url`. Errors of the proxy are errors of the request. */
export function createHttpAgent(url: URL, route: HttpRoute, options: HttpAgentOptions): http.Agent {
  const isSecure = url.protocol === 'https:';
  const tlsOptions = { ca: route.caCertificate || undefined, rejectUnauthorized: !route.insecureTls };
  const agent = isSecure ? new nodeHttps.Agent({ ...options, ...tlsOptions }) : new nodeHttp.Agent(options);
  if (!route.proxyUrl) return agent;
  const proxy = new URL(route.proxyUrl);
  return Object.assign(agent, {
    createConnection(_options: unknown, created: Created) {
      connectThroughProxy(proxy, url).then(
        (tunnel) =>
          created(null, isSecure ? tls.connect({ ...tlsOptions, ...identityOf(url), socket: tunnel }) : tunnel),
        (error: Error) => created(error),
      );
    },
  });
}

/** Whose certificate is expected. An address is no server name (RFC 6066), but it is what the certificate must hold. */
function identityOf(url: URL): { host: string; servername?: string } {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isIP(host) ? { host } : { host, servername: host };
}

function connectThroughProxy(proxy: URL, url: URL): Promise<Duplex> {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const user = `${decodePercent(proxy.username)}:${decodePercent(proxy.password)}`;
  const request = (proxy.protocol === 'https:' ? nodeHttps : nodeHttp).request({
    host: proxy.hostname,
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    method: 'CONNECT',
    path: `${url.hostname}:${port}`,
    headers: proxy.username ? { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` } : {},
    agent: false,
    timeout: CONNECT_TIMEOUT_MS,
  });
  return new Promise((resolve, reject) => {
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) {
        socket.setTimeout(0);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy answered ${response.statusCode}`));
    });
    request.once('timeout', () => request.destroy(new Error('the proxy did not answer within 30 s')));
    request.once('error', reject);
    request.end();
  });
}
