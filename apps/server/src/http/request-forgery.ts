/** Protection against other web sites that make a visitor's browser send requests to us. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { FastifyRequest } from 'fastify';

/** Compares two secrets without telling by the time it takes where they differ. */
export function sameSecret(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return right !== '' && timingSafeEqual(digest(left), digest(right));
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}

/**
 * Throws AUTH_CSRF when the browser says that a page of another site made this request. Needed also where nobody is
 * signed in: a foreign page must not complete the set-up of a fresh installation. Programs send neither header.
 */
export function refuseCrossSite(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) {
    if (site === 'cross-site' || site === 'same-site') throw new AppError('AUTH_CSRF');
    return;
  }
  const { origin } = request.headers;
  if (origin === undefined) return;
  // Without the first header (older browsers): the host they asked for must be the page's own.
  if (hostOf(origin) !== request.host) throw new AppError('AUTH_CSRF');
}
