/**
 * A master for tests: a real HTTP server on loopback that speaks the agent routes, records what it is told, and
 * misbehaves on request.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AgentCommand } from '@backupx/contracts/agent-protocol';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any;
  readonly atMs: number;
}

export interface Answer {
  readonly status?: number;
  readonly data?: unknown;
  readonly code?: string;
  readonly html?: string;
  readonly location?: string;
  /** Take the request and never answer. */
  readonly hang?: boolean;
}

export interface FakeMaster {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Commands handed out by the next polls. */
  readonly commands: AgentCommand[];
  /** Answers of `GET tasks/:id` and `restores/:id/spec` by path. */
  readonly specs: Map<string, unknown>;
  protocol: 1 | 2;
  heartbeatMs: number;
  /** Overrides the answer to a request; undefined: the usual one. */
  intercept: (request: SeenRequest) => Answer | undefined;
  /** Ids the next heartbeats ask to cancel. */
  cancelCommandIds: number[];
  to(path: string): SeenRequest[];
  close(): Promise<void>;
}

/** Starts it; `port` to come back at a known address. */
export async function startFakeMaster(port = 0): Promise<FakeMaster> {
  const held = new Set<ServerResponse>();
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const seen: SeenRequest = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: text ? JSON.parse(text) : undefined,
        atMs: performance.now(),
      };
      master.requests.push(seen);
      send(response, master.intercept(seen) ?? usual(seen));
    });
  });

  function send(response: ServerResponse, answer: Answer): void {
    if (answer.hang) {
      held.add(response);
      return;
    }
    const status = answer.status ?? 200;
    if (answer.html) {
      response.writeHead(status, { 'content-type': 'text/html' }).end(answer.html);
      return;
    }
    const body =
      status < 300 ? { code: 'OK', message: 'success', data: answer.data } : { code: answer.code, message: 'no' };
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(answer.location ? { location: answer.location } : {}),
    });
    response.end(JSON.stringify(body));
  }

  function usual(seen: SeenRequest): Answer {
    if (seen.path === '/api/agent/heartbeat') {
      const old = { status: 'ok', nodeId: 7, name: 'web-02' };
      const extra = {
        protocol: 2,
        heartbeatMs: master.heartbeatMs,
        pollMs: 1000,
        cancelCommandIds: master.cancelCommandIds,
      };
      return { data: master.protocol === 2 ? { ...old, ...extra } : old };
    }
    if (seen.path === '/api/agent/commands/poll') return { data: { command: master.commands.shift() ?? null } };
    if (seen.method === 'GET') return { data: master.specs.get(seen.path) };
    return { data: { status: 'ok' } };
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const master: FakeMaster = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    commands: [],
    specs: new Map(),
    protocol: 2,
    heartbeatMs: 1000,
    intercept: () => undefined,
    cancelCommandIds: [],
    to: (path) => master.requests.filter((request) => request.path === path),
    async close() {
      for (const response of held) response.destroy();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return master;
}
