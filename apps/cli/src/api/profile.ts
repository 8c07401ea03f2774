/**
 * Which master the API commands talk to, and as whom: `BACKUPX_URL` and `BACKUPX_TOKEN_FILE`, or the profile that
 * `backupx login` keeps (mode 0600) in the user's configuration folder.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { type ApiClient, createApiClient } from './api-client.ts';

interface Profile {
  readonly url: string;
  readonly token: string;
}
type Environment = Readonly<Record<string, string | undefined>>;

export const defaultUrl = 'http://127.0.0.1:8340';

export function profilePath(environment: Environment = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'backupx', 'profile.json');
}

/** A client for the master that environment or profile name. Throws `AUTH_REQUIRED` when there is no token for it. */
export function connect(environment: Environment = process.env): ApiClient {
  const profile = readProfile(environment);
  const url = (environment.BACKUPX_URL || profile?.url || defaultUrl).replace(/\/+$/, '');
  if (environment.BACKUPX_TOKEN_FILE) return createApiClient(url, readToken(environment.BACKUPX_TOKEN_FILE));
  // A token is only ever sent to the address it was given by.
  if (profile?.url === url) return createApiClient(url, profile.token);
  throw new AppError('AUTH_REQUIRED', {}, { fields: [notSignedIn(url)] });
}

function notSignedIn(url: string) {
  const message = `no token is known; run "backupx login ${url}" or set BACKUPX_TOKEN_FILE`;
  return { path: url, code: 'no_token', message };
}

/** A client for public routes of the same address. */
export function connectPublic(environment: Environment = process.env): ApiClient {
  return createApiClient(environment.BACKUPX_URL || readProfile(environment)?.url || defaultUrl, null);
}

/** True when a token for the address is known. */
export function isSignedIn(environment: Environment = process.env): boolean {
  try {
    connect(environment);
    return true;
  } catch {
    return false;
  }
}

export function saveProfile(profile: Profile, environment: Environment = process.env): string {
  const path = profilePath(environment);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, `${JSON.stringify(profile)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
  return path;
}

export function forgetProfile(environment: Environment = process.env): void {
  rmSync(profilePath(environment), { force: true });
}

function readProfile(environment: Environment): Profile | null {
  try {
    const { url, token } = JSON.parse(readFileSync(profilePath(environment), 'utf8')) as Partial<Profile>;
    return typeof url === 'string' && URL.canParse(url) && token ? { url, token } : null;
  } catch {
    return null;
  }
}

function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (cause) {
    const problems = `BACKUPX_TOKEN_FILE ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`;
    throw new AppError('CONFIG_INVALID', { problems }, { cause });
  }
  throw new AppError('CONFIG_INVALID', { problems: `BACKUPX_TOKEN_FILE ${path} is empty` });
}
