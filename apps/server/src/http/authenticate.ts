/**
 * Who is asking. Console routes take a session (cookie or bearer token) or an API key, agent routes take node tokens
 * only, and neither kind is ever looked up where the other belongs. The lookups themselves are injected.
 */
import type { Role } from '@backupx/contracts/api/auth';
import { roleAllows } from '@backupx/contracts/api/auth';
import type { RouteContract } from '@backupx/contracts/define-route';
import { AppError } from '@backupx/contracts/errors';
import type {} from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import { refuseCrossSite, sameSecret } from './request-forgery.ts';
import type { Actor } from './route-context.ts';

export const SESSION_COOKIE = 'backupx_session';
export const CSRF_HEADER = 'x-csrf-token';
export const API_KEY_PREFIX = 'bax_';

export interface FoundSession {
  readonly sessionId: number;
  readonly userId: number;
  readonly username: string;
  readonly role: Role;
  readonly csrfToken: string;
}

export interface FoundApiKey {
  readonly name: string;
  readonly role: Role;
}

export interface AuthenticateOptions {
  /** Null: unknown, expired, or its user is disabled. */
  readonly findSession: (token: string) => Promise<FoundSession | null>;
  /** Null: unknown, expired or switched off. */
  readonly findApiKey: (key: string) => Promise<FoundApiKey | null>;
  /** `token` is the one of the headers; a heartbeat may carry it in its (already parsed) body instead. */
  readonly authenticateAgent: (token: string | null, request: FastifyRequest) => Promise<Actor | null>;
}

function headerOf(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function bearerOf(request: FastifyRequest): string | null {
  const match = /^Bearer +(\S+)$/i.exec(headerOf(request, 'authorization') ?? '');
  return match?.[1] ?? null;
}

const isChange = (request: FastifyRequest) => request.method !== 'GET' && request.method !== 'HEAD';

function fromSession(session: FoundSession, via: 'session' | 'token'): Actor {
  const { sessionId, userId, username, role } = session;
  return { kind: 'user', userId, username, role, via, sessionId };
}

/** Finds the person. A credential in a header is the only one looked at; a wrong one never falls back to the cookie. */
async function identify(request: FastifyRequest, options: AuthenticateOptions): Promise<Actor | null> {
  const bearer = bearerOf(request);
  const apiKey = headerOf(request, 'x-api-key') ?? (bearer?.startsWith(API_KEY_PREFIX) ? bearer : null);
  if (apiKey) {
    const found = await options.findApiKey(apiKey);
    return found
      ? { kind: 'user', userId: 0, username: found.name, role: found.role, via: 'api_key', sessionId: null }
      : null;
  }
  if (bearer) {
    const found = await options.findSession(bearer);
    return found && fromSession(found, 'token');
  }
  const cookie = request.cookies[SESSION_COOKIE];
  const found = cookie ? await options.findSession(cookie) : null;
  if (!found) return null;
  // The browser sends the cookie by itself, so a change needs a second proof that our page asked for it.
  if (isChange(request) && !sameSecret(headerOf(request, CSRF_HEADER) ?? '', found.csrfToken)) {
    throw new AppError('AUTH_CSRF');
  }
  return fromSession(found, 'session');
}

export function createAuthenticate(options: AuthenticateOptions) {
  return async (request: FastifyRequest, contract: RouteContract): Promise<Actor> => {
    const { access } = contract;
    if (access === 'agent') {
      const token = headerOf(request, 'x-agent-token') ?? bearerOf(request);
      const agent = await options.authenticateAgent(token, request);
      if (!agent) throw new AppError('NODE_INVALID_TOKEN');
      return agent;
    }
    if (isChange(request)) refuseCrossSite(request);
    if (access === 'public') return { kind: 'anonymous' };
    const actor = await identify(request, options);
    if (actor?.kind !== 'user') throw new AppError('AUTH_REQUIRED');
    // Set before the role is checked, so that a refusal is recorded under the right name.
    request.actor = actor;
    if (!roleAllows(actor.role, access)) throw new AppError('AUTH_FORBIDDEN', { role: access });
    return actor;
  };
}
