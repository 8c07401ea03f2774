import { AGENT_PROTOCOL_HEADER, AGENT_PROTOCOL_VERSION, agentRoutes } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { FastifyRequest } from 'fastify';
import type { NodeTokens } from '../../dispatch/node-tokens.ts';
import type { Actor } from '../../http/route-context.ts';

/** Agents from the field may send the token in the body of a heartbeat; it wins over the header. */
function bodyToken(request: FastifyRequest): string | null {
  if (request.routeOptions.url !== agentRoutes.heartbeat.path) return null;
  const { token } = (request.body ?? {}) as { token?: unknown };
  return typeof token === 'string' && token.trim() !== '' ? token : null;
}

/**
 * The authentication of agent routes, for `http/authenticate`. Null: unknown token. A heartbeat without any token is
 * INVALID_INPUT, as in the field.
 */
export function createAgentAuthentication(tokens: NodeTokens) {
  return async (headerToken: string | null, request: FastifyRequest): Promise<Actor | null> => {
    const token = (bodyToken(request) ?? headerToken)?.trim();
    if (!token) {
      if (request.routeOptions.url !== agentRoutes.heartbeat.path) return null;
      const missing = { path: 'token', code: 'missing', message: 'missing token' };
      throw new AppError('INVALID_INPUT', {}, { fields: [missing] });
    }
    const owner = await tokens.owner(token);
    if (!owner) return null;
    const isOurs = Number(request.headers[AGENT_PROTOCOL_HEADER]) >= AGENT_PROTOCOL_VERSION;
    return { kind: 'agent', ...owner, protocol: isOurs ? AGENT_PROTOCOL_VERSION : 1 };
  };
}
