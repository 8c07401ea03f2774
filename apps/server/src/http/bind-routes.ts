/**
 * Binds contracts and handlers to the HTTP server. Every route passes the same stations in the same order:
 * authenticate → role → read body → validate → handler → audit → envelope. What differs comes from the contract.
 */
import type { RouteContract } from '@backupx/contracts/define-route';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type AuditNote, auditRecord, isWorthRecording, type RecordAudit } from './audit-trail.ts';
import { sendError } from './error-response.ts';
import type { Actor, BoundRoute } from './route-context.ts';
import { validateInput } from './validate-input.ts';

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor;
  }
  interface FastifyContextConfig {
    /** The body is an octet stream that the handler reads from `request.raw`. */
    rawBody?: boolean;
  }
}

export interface BindRoutesOptions {
  /** Who is asking; throws AUTH_REQUIRED, AUTH_FORBIDDEN, AUTH_CSRF or NODE_INVALID_TOKEN by the contract's access. */
  readonly authenticate: (request: FastifyRequest, contract: RouteContract) => Promise<Actor>;
  readonly recordAudit: RecordAudit;
  /** On in tests and development: an answer that breaks its contract becomes INTERNAL instead of going out. */
  readonly validateOutput: boolean;
  /** How long a JSON body may take to arrive; default one minute. */
  readonly bodyTimeoutMs?: number;
  /** How often an open event stream asks again whether its listener may still listen; default one minute. */
  readonly recheckMs?: number;
}

const anonymous: Actor = { kind: 'anonymous' };

/** An agent may put its token into the body (heartbeats of agents in the field); then the body is read first. */
function hasTokenInBody(contract: RouteContract): boolean {
  return contract.access === 'agent' && contract.body instanceof z.ZodObject && 'token' in contract.body.shape;
}

function signalOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'));
  });
  return gone.signal;
}

function defaultTarget(request: FastifyRequest): string {
  const params = request.params as Record<string, string | undefined> | undefined;
  return params?.id ?? '';
}

async function writeAudit(
  options: BindRoutesOptions,
  request: FastifyRequest,
  entry: { contract: RouteContract; note: AuditNote | null; error?: unknown },
): Promise<void> {
  const action = entry.contract.audit;
  if (!action || (entry.error !== undefined && !isWorthRecording(entry.error))) return;
  const { note, error } = entry;
  const about = { action, actor: request.actor, ipAddress: request.ip, note, defaultTarget: defaultTarget(request) };
  try {
    await options.recordAudit(auditRecord({ ...about, error }));
  } catch (failure) {
    // The change has happened; refusing the answer would only make the caller do it twice.
    request.log.error({ err: failure, action }, 'the audit entry could not be written');
  }
}

function checkOutput(contract: RouteContract, data: unknown): void {
  const result = contract.output.safeParse(data);
  if (!result.success) {
    const where = `${contract.method} ${contract.path}`;
    throw new Error(`the answer of ${where} breaks its contract: ${z.prettifyError(result.error)}`);
  }
}

const RECHECK_MS = 60_000;

/** A stream outlives the sign-in it began with: it is cut off when the session ends or the user is disabled. */
function watchPermission(
  contract: RouteContract,
  options: BindRoutesOptions,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): void {
  const check = () => options.authenticate(request, contract).catch(() => reply.raw.destroy());
  const timer = setInterval(check, options.recheckMs ?? RECHECK_MS);
  timer.unref();
  reply.raw.once('close', () => clearInterval(timer));
}

function handlerOf({ contract, handler }: BoundRoute, options: BindRoutesOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    let note: AuditNote | null = null;
    const input = validateInput(contract, request);
    const signal = signalOf(reply);
    let output: unknown;
    try {
      output = await handler({
        ...(input as { params: never; query: never; body: never }),
        actor: request.actor,
        ipAddress: request.ip,
        signal,
        audit(entry) {
          if (!contract.audit) throw new Error(`${contract.path} has no audit action`);
          note = { ...note, ...entry };
        },
        request,
        reply,
      });
      if (options.validateOutput && contract.kind === 'json') checkOutput(contract, output);
    } catch (error) {
      await writeAudit(options, request, { contract, note, error });
      throw error;
    }
    await writeAudit(options, request, { contract, note });
    if (contract.kind === 'events') watchPermission(contract, options, { request, reply });
    if (contract.kind !== 'json') return reply;
    return { code: 'OK', message: 'success', data: output ?? null };
  };
}

function bindRoute(scope: FastifyInstance, route: BoundRoute, options: BindRoutesOptions): void {
  const { contract } = route;
  const authenticate = async (request: FastifyRequest) => {
    try {
      request.actor = await options.authenticate(request, contract);
    } catch (error) {
      // A known person who may not do this is worth an entry; an unknown caller is not.
      if (request.actor !== anonymous) await writeAudit(options, request, { contract, note: null, error });
      throw error;
    }
  };
  scope.route({
    method: contract.method,
    url: contract.path,
    config: { rawBody: contract.bodyLimit === 'raw' },
    // HEAD of a stream or a download would do the work and throw it away.
    exposeHeadRoute: contract.kind === 'json',
    ...(typeof contract.bodyLimit === 'number' ? { bodyLimit: contract.bodyLimit } : {}),
    ...(hasTokenInBody(contract) ? { preValidation: authenticate } : { onRequest: authenticate }),
    handler: handlerOf(route, options),
  });
}

/** A body that trickles in would hold its connection for ever; artifacts have their own scope without this limit. */
const BODY_TIMEOUT_MS = 60_000;

function limitBodyTime(scope: FastifyInstance, timeoutMs: number): void {
  scope.addHook('preParsing', async (request, _reply, payload) => {
    const { headers } = request;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (!hasBody) return payload;
    const timer = setTimeout(() => request.raw.destroy(), timeoutMs);
    timer.unref();
    const clear = () => clearTimeout(timer);
    payload.once('end', clear).once('close', clear);
    return payload;
  });
}

/** JSON whatever the content type says (scripts forget it); an empty body is no body (old agents poll that way). */
function readJson(scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser('error', 'error');
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    const text = body.toString();
    if (text.trim() === '') done(null, undefined);
    else void parse(request, text, done);
  });
}

/** Hands the body to the handler unread, whatever its size. */
function readNothing(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
}

/** Binds all routes. Call once; the instance must have `installEventStreams` and its error handler already. */
export function bindRoutes(fastify: FastifyInstance, routes: readonly BoundRoute[], options: BindRoutesOptions): void {
  fastify.decorateRequest('actor');
  fastify.addHook('onRequest', async (request) => {
    request.actor = anonymous;
  });
  fastify.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  const isRaw = (route: BoundRoute) => route.contract.bodyLimit === 'raw';
  fastify.register(async (scope) => {
    readJson(scope);
    limitBodyTime(scope, options.bodyTimeoutMs ?? BODY_TIMEOUT_MS);
    for (const route of routes.filter((one) => !isRaw(one))) bindRoute(scope, route, options);
  });
  fastify.register(async (scope) => {
    readNothing(scope);
    for (const route of routes.filter(isRaw)) bindRoute(scope, route, options);
  });
}
