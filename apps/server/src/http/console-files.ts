/** The console's files, and the answer for everything that is no route. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendError } from './error-response.ts';

const notBuiltPage = `<!doctype html><meta charset="utf-8"><title>BackupX</title>
<h1>The console is not built yet</h1>
<p>The API works. Run <code>npm run build</code> on the server and reload this page; <code>npm start</code> does it by itself.</p>
`;

/** File names with a hash of their content never change, so browsers may keep them for ever. */
const ONE_YEAR_SECONDS = 31_536_000;

export function isConsoleBuilt(folder: string): boolean {
  return existsSync(join(folder, 'index.html'));
}

/** CSP sources for the inline scripts of the page, so that none needs `unsafe-inline`. */
export function inlineScriptHashes(folder: string): string[] {
  if (!isConsoleBuilt(folder)) return [];
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const scripts = page.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/gi);
  return [...scripts].map((match) => {
    const digest = createHash('sha256')
      .update(match[1] ?? '')
      .digest('base64');
    return `'sha256-${digest}'`;
  });
}

function wantsPage(request: FastifyRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return isRead && (request.headers.accept ?? '').includes('text/html');
}

const isApi = (url: string) => /^\/api(\/|\?|$)/.test(url);

/** Every address that is no route and no file is a page of the console (its own router takes it from there). */
export async function serveConsole(fastify: FastifyInstance, folder: string): Promise<void> {
  const isBuilt = isConsoleBuilt(folder);
  if (isBuilt) {
    await fastify.register(fastifyStatic, {
      root: folder,
      index: ['index.html'],
      cacheControl: false,
      setHeaders(reply, path) {
        const isHashed = path.includes('/assets/');
        reply.header('cache-control', isHashed ? `public, max-age=${ONE_YEAR_SECONDS}, immutable` : 'no-cache');
      },
    });
  }
  const answerPage = (reply: FastifyReply) =>
    isBuilt ? reply.sendFile('index.html') : reply.code(503).type('text/html; charset=utf-8').send(notBuiltPage);

  fastify.setNotFoundHandler((request, reply) =>
    !isApi(request.url) && wantsPage(request)
      ? answerPage(reply)
      : sendError(new AppError('ROUTE_NOT_FOUND'), request, reply),
  );
}
