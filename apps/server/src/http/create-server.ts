/** The HTTP server before any route: security headers, compression, cookies, request log, event streams. */
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { sendError } from './error-response.ts';
import { installEventStreams } from './event-stream.ts';

export interface ServerOptions {
  readonly logger: FastifyBaseLogger;
  /** Addresses of proxies whose `X-Forwarded-…` headers are believed; none: no proxy is. */
  readonly trustedProxies: readonly string[];
  /** Hashes of inline scripts of the console. */
  readonly scriptHashes: readonly string[];
}

/** Below this a compressed answer is hardly smaller. */
const COMPRESS_FROM_BYTES = 1024;

/** Reads are noise (agents poll every few seconds, repositories take thousands of files); what changes or fails is worth a line. */
function logRequests(fastify: FastifyInstance): void {
  fastify.addHook('onResponse', async (request, reply) => {
    const { statusCode } = reply;
    const isQuiet = request.method === 'GET' || /^\/(api\/agent|r)\//.test(request.url);
    const level = statusCode >= 500 ? 'error' : statusCode >= 400 ? 'warn' : isQuiet ? 'debug' : 'info';
    const about = { method: request.method, url: request.url, status: statusCode, ms: Math.round(reply.elapsedTime) };
    request.log[level]({ ...about, ip: request.ip }, 'request');
  });
}

export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const fastify = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    // Keep-alive connections that are idle must not hold up a stop.
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 500 },
    requestIdHeader: false,
    genReqId: () => crypto.randomUUID(),
    // Addresses that cannot even be decoded never reach the error handler.
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
  });
  installEventStreams(fastify);
  fastify.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  // An answer of the API is about this moment and this user.
  fastify.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/') && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  logRequests(fastify);
  await fastify.register(cookie);
  await fastify.register(helmet, {
    // Plain http is common inside a network; a proxy with TLS sets HSTS itself.
    hsts: false,
    crossOriginEmbedderPolicy: false,
    originAgentCluster: false,
    referrerPolicy: { policy: 'same-origin' },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'", ...options.scriptHashes],
        // Components set sizes and positions through style attributes.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
  });
  await fastify.register(compress, {
    threshold: COMPRESS_FROM_BYTES,
    encodings: ['gzip'],
    customTypes: /^(application\/(json|javascript)|text\/(html|css|javascript|plain)|image\/svg\+xml)/,
  });
  return fastify;
}
