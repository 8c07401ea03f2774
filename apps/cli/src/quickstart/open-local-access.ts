/**
 * Signs quickstart in like any client: the first time it creates the administrator and an API key of its own, later it
 * uses that key, kept in the data folder with mode 0600.
 */
import { randomInt } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { apiKeyRoutes, authRoutes } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import { type ApiClient, createApiClient } from '../api/api-client.ts';
import type { Terminal } from '../output/terminal.ts';
import { readSecret } from '../read-secret.ts';

export interface LocalAccess {
  readonly client: ApiClient;
  /** Set when the administrator was created just now. */
  readonly created: { username: string; password: string } | null;
}

const username = 'admin';

export async function openLocalAccess(url: string, dataDir: string, terminal: Terminal): Promise<LocalAccess> {
  const anonymous = createApiClient(url, null);
  const tokenPath = join(dataDir, 'quickstart.token');
  const { initialized } = await anonymous.call(authRoutes.setupStatus);
  if (!initialized) {
    const password = createPassword();
    const { token } = await anonymous.call(authRoutes.setup, { body: { username, password } });
    // Said before anything else can fail: nothing else knows it.
    terminal.say(
      `\nFirst administrator created.\n  user name  ${username}\n  password   ${password}   (shown this once)\n`,
    );
    return { client: await createKey(url, token, tokenPath), created: { username, password } };
  }
  const known = await tryKnownKey(url, tokenPath);
  if (known) return { client: known, created: null };
  return { client: await signIn(anonymous, tokenPath, terminal), created: null };
}

/** 20 characters without look-alikes: about 115 bits. */
export function createPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  return Array.from({ length: 20 }, () => letters[randomInt(letters.length)]).join('');
}

async function tryKnownKey(url: string, tokenPath: string): Promise<ApiClient | null> {
  try {
    const client = createApiClient(url, readFileSync(tokenPath, 'utf8').trim());
    await client.call(authRoutes.profile);
    return client;
  } catch (error) {
    // No file, or a key that was revoked: ask for the password instead.
    if (!(error instanceof AppError) || error.status === 401) return null;
    throw error;
  }
}

async function signIn(anonymous: ApiClient, tokenPath: string, terminal: Terminal): Promise<ApiClient> {
  if (!process.stdin.isTTY) throw new AppError('AUTH_REQUIRED', {}, { fields: [lostKey(tokenPath)] });
  terminal.say(`This installation has an administrator already. Sign in as "${username}" to go on.`);
  const password = await readSecret({ question: 'Password', isNew: false });
  const { token } = await anonymous.call(authRoutes.login, { body: { username, password } });
  return createKey(anonymous.url, token, tokenPath);
}

function lostKey(path: string) {
  const message = 'the key of an earlier quickstart is missing; run quickstart in a terminal to sign in again';
  return { path, code: 'missing', message };
}

async function createKey(url: string, token: string, tokenPath: string): Promise<ApiClient> {
  const body = { name: 'quickstart', role: 'admin' as const };
  const { key } = await createApiClient(url, token).call(apiKeyRoutes.create, { body });
  const file = openSync(`${tokenPath}.tmp`, 'w', 0o600);
  try {
    writeSync(file, `${key}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${tokenPath}.tmp`, tokenPath);
  return createApiClient(url, key);
}
