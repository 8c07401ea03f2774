/**
 * Signs quickstart in: the first time it creates the administrator by the same route the console uses; later the server,
 * which runs in this very process, opens a session. So no password and no token has to lie on the disk.
 */
import { randomInt } from 'node:crypto';
import { authRoutes } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import { type ApiClient, createApiClient } from '../api/api-client.ts';
import type { Terminal } from '../output/terminal.ts';

/** What is needed of the running server. */
export interface LocalServer {
  readonly url: string;
  /** Bearer token of a new session of the first administrator; null: there is none. */
  openAdminSession(): Promise<string | null>;
}

const username = 'admin';

/** A client with the rights of an administrator. */
export async function openLocalAccess(server: LocalServer, terminal: Terminal): Promise<ApiClient> {
  const anonymous = createApiClient(server.url, null);
  const { initialized } = await anonymous.call(authRoutes.setupStatus);
  if (initialized) {
    const token = await server.openAdminSession();
    if (token === null) throw new AppError('AUTH_REQUIRED', {}, { fields: [noAdministrator] });
    return createApiClient(server.url, token);
  }
  const password = createPassword();
  const { token } = await anonymous.call(authRoutes.setup, { body: { username, password } });
  // Said before anything else can fail: nothing else knows it.
  terminal.say('\nFirst administrator created:');
  terminal.say(`  user name  ${username}`);
  terminal.say(`  password   ${password}   (shown this once; "backupx reset-password" sets another)\n`);
  return createApiClient(server.url, token);
}

const noAdministrator = {
  path: 'administrator',
  code: 'none_enabled',
  message: 'this installation has users, but no administrator who can sign in',
};

/** 20 characters without look-alikes: about 116 bits. */
export function createPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  return Array.from({ length: 20 }, () => letters[randomInt(letters.length)]).join('');
}
