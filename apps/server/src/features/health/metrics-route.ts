/** `/metrics` for Prometheus; no contract, because its format is not ours. */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../metrics.ts';

export function serveMetrics(fastify: FastifyInstance, metrics: Metrics): void {
  for (const url of ['/metrics', '/api/metrics']) {
    fastify.get(url, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  }
}
