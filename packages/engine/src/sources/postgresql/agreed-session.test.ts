import { AppError } from '@backupx/contracts/errors';
import { afterEach, expect, it, vi } from 'vitest';
import { openAgreedSession } from './agreed-session.ts';
import { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';

afterEach(() => vi.restoreAllMocks());

const server = { settings: { maintenanceDatabase: 'mine' } } as unknown as Server;
const absent = (name: string) => new AppError('DATABASE_NOT_FOUND', { name, server: 'here' });

/** Which databases are tried, where these let nobody in. */
async function tried(closed: readonly string[], error: (name: string) => AppError = absent): Promise<string[]> {
  const names: string[] = [];
  vi.spyOn(PsqlSession, 'open').mockImplementation(async (_server, name) => {
    names.push(name);
    if (closed.includes(name)) throw error(name);
    return { database: name } as PsqlSession;
  });
  await openAgreedSession(server, new AbortController().signal).catch((failure: AppError) => names.push(failure.code));
  return names;
}

it('meets in a database that all servers have, whatever that of the settings is', async () => {
  expect(await tried([])).toEqual(['postgres']);
  expect(await tried(['postgres'])).toEqual(['postgres', 'template1']);
  expect(await tried(['postgres', 'template1'])).toEqual(['postgres', 'template1', 'mine']);
});

it('tries no other one on a server that cannot be reached', async () => {
  const gone = () => new AppError('DATABASE_UNREACHABLE', { server: 'here', reason: 'it is gone' });
  expect(await tried(['postgres'], gone)).toEqual(['postgres', 'DATABASE_UNREACHABLE']);
});
