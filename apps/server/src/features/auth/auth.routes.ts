/** Set-up, login, logout, profile, password. */
import { authRoutes } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createAttemptLimiter } from '../../http/attempt-limiter.ts';
import { SESSION_COOKIE } from '../../http/authenticate.ts';
import { type Actor, type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { hashPassword, isPasswordOf } from '../../stores/hash-password.ts';
import { sessionsStore } from '../../stores/sessions.store.ts';
import { toUser, type UserRow, usersStore } from '../../stores/users.store.ts';
import { createFirstAdmin } from './create-first-admin.ts';
import { checkPassword, type OpenedSession, openSession, type SessionSettings } from './sign-in.ts';

const WINDOW_MS = 5 * 60_000;
const ATTEMPTS_PER_ADDRESS = 30;
const ATTEMPTS_PER_USERNAME = 10;

/** `secure` follows the address the browser used, as the trusted proxy tells it. */
function cookieOptions(request: FastifyRequest) {
  return { path: '/', httpOnly: true, sameSite: 'lax', secure: request.protocol === 'https' } as const;
}

/** API keys are no persons: they have neither profile nor password. */
function userIdOf(actor: Actor): number {
  if (actor.kind === 'user' && actor.via !== 'api_key') return actor.userId;
  throw new AppError('NOT_SUPPORTED', { what: 'This', hint: 'Sign in as a user; API keys have no profile.' });
}

export function authRoutesOf(settings: SessionSettings): BoundRoute[] {
  const { db, clock, sessionTtlMs } = settings;
  const monotonicMs = () => clock.monotonicMs();
  const perAddress = createAttemptLimiter({ attempts: ATTEMPTS_PER_ADDRESS, windowMs: WINDOW_MS, monotonicMs });
  const perUsername = createAttemptLimiter({ attempts: ATTEMPTS_PER_USERNAME, windowMs: WINDOW_MS, monotonicMs });

  async function answerSession(row: UserRow, request: FastifyRequest, reply: FastifyReply): Promise<OpenedSession> {
    const session = await openSession(settings, row, request.ip);
    const maxAge = Math.floor(sessionTtlMs / 1000);
    reply.setCookie(SESSION_COOKIE, session.token, { ...cookieOptions(request), maxAge });
    return session;
  }

  async function findUser(actor: Actor): Promise<UserRow> {
    const row = await usersStore.find(db, userIdOf(actor));
    if (!row) throw new AppError('AUTH_REQUIRED');
    return row;
  }

  return [
    bind(authRoutes.setupStatus, async () => ({ initialized: (await usersStore.count(db)) > 0 })),

    bind(authRoutes.setup, async ({ body, request, reply, audit, ipAddress }) => {
      perAddress.take(ipAddress);
      audit({ target: body.username });
      return await answerSession(await createFirstAdmin(settings, body), request, reply);
    }),

    bind(authRoutes.login, async ({ body, request, reply, audit, ipAddress }) => {
      const name = body.username.trim().toLowerCase();
      perAddress.take(ipAddress);
      perUsername.take(name);
      audit({ target: body.username });
      if ((await usersStore.count(db)) === 0) throw new AppError('AUTH_SETUP_REQUIRED');
      const row = await checkPassword(db, name, body.password);
      perUsername.forgive(name);
      perAddress.forgive(ipAddress);
      return await answerSession(row, request, reply);
    }),

    bind(authRoutes.logout, async ({ actor, request, reply }) => {
      if (actor.kind === 'user' && actor.sessionId !== null) await sessionsStore.remove(db, actor.sessionId);
      reply.clearCookie(SESSION_COOKIE, cookieOptions(request));
      return ok;
    }),

    bind(authRoutes.profile, async ({ actor }) => {
      const row = await findUser(actor);
      const sessionId = actor.kind === 'user' ? actor.sessionId : null;
      const csrfToken = sessionId === null ? null : await sessionsStore.csrfToken(db, sessionId);
      return { ...toUser(row), csrfToken };
    }),

    bind(authRoutes.changePassword, async ({ actor, body, audit }) => {
      const row = await findUser(actor);
      audit({ target: row.username });
      perUsername.take(row.username.toLowerCase());
      if (!(await isPasswordOf(row.password_hash, body.currentPassword))) {
        throw new AppError('AUTH_INVALID_CREDENTIALS');
      }
      perUsername.forgive(row.username.toLowerCase());
      await usersStore.update(db, row.id, { password_hash: await hashPassword(body.newPassword) });
      await sessionsStore.removeOfUser(db, row.id, actor.kind === 'user' ? actor.sessionId : null);
      return ok;
    }),
  ];
}
