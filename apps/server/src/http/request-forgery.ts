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
  // Plain http outside localhost comes without that header. A proxy may have replaced the host, so a foreign origin
  // alone proves nothing; but a page of another site can send JSON only after a preflight, which we never grant.
  const { origin, 'content-type': type = '' } = request.headers;
  if (origin === undefined || type.startsWith('application/json')) return;
  if (hostOf(origin) !== request.host) throw new AppError('AUTH_CSRF');
}
