/** The HTTP server with everything that answers on it: routes, metrics, OpenAPI document, console. */
import { allRoutes } from '@backupx/contracts/api/all-routes';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { serveMetrics } from './features/health/metrics-route.ts';
import { type GatewayDeps, serveGateway } from './features/repository-gateway/serve-gateway.ts';
import { type BindRoutesOptions, bindRoutes } from './http/bind-routes.ts';
import { inlineScriptHashes, serveConsole } from './http/console-files.ts';
import { createServer } from './http/create-server.ts';
import { writeOpenApi } from './http/openapi.ts';
import type { BoundRoute } from './http/route-context.ts';
import type { Metrics } from './metrics.ts';

export interface HttpDeps extends BindRoutesOptions {
  readonly logger: FastifyBaseLogger;
  readonly trustedProxies: readonly string[];
  /** Folder of the built console. */
  readonly consoleDir: string;
  readonly version: string;
  readonly metrics: Metrics;
  readonly routes: readonly BoundRoute[];
  /** The restic REST server; left out: there is none. */
  readonly gateway?: GatewayDeps;
}

export async function connectHttp(deps: HttpDeps): Promise<FastifyInstance> {
  const { logger, trustedProxies, consoleDir } = deps;
  const fastify = await createServer({ logger, trustedProxies, scriptHashes: inlineScriptHashes(consoleDir) });
  bindRoutes(fastify, deps.routes, deps);
  serveMetrics(fastify, deps.metrics);
  if (deps.gateway) serveGateway(fastify, deps.gateway);
  let document: string | undefined;
  fastify.get('/api/openapi.json', async (_request, reply) => {
    document ??= JSON.stringify(writeOpenApi(allRoutes, deps.version));
    return reply.type('application/json; charset=utf-8').send(document);
  });
  await serveConsole(fastify, consoleDir);
  return fastify;
}
