/** Puts restored databases in the place of what is there, all of them in one transaction. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { SqlFailure } from './failures.ts';
import type { PsqlSession } from './psql-session.ts';
import { describeSessions, sessionsOf } from './restore-plan.ts';
import { PROGRAM_NAME } from './server.ts';
import { quoteName } from './sql-text.ts';

/** One of them. `old`: what the present one is called afterwards; null: there is none. */
export interface Swap {
  readonly scratch: string;
  readonly target: string;
  readonly old: string | null;
}

export interface SwapPlace {
  /** Opens a session that is in none of the databases. */
  open(): Promise<PsqlSession>;
  readonly endSessions: boolean;
  readonly signal: AbortSignal;
}

const ATTEMPTS = 5;
const PAUSE_MS = 300;
const OBJECT_IN_USE = '55006';
const SWAP_LIMIT_MS = 120_000;
const PARTING_LIMIT_MS = 2000;
const PARTING_STEP_MS = 50;

/** Throws DATABASE_IN_USE; then every name is as it was. */
export async function swapDatabases(swaps: readonly Swap[], place: SwapPlace): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await trySwap(swaps, place);
      return;
    } catch (error) {
      if (!isInUse(error)) throw error;
      if (attempt === ATTEMPTS || !place.endSessions) throw await inUse(swaps, place, error);
    }
    // A program that connects again at once.
    await systemClock.sleep(PAUSE_MS, place.signal);
  }
}

async function trySwap(swaps: readonly Swap[], place: SwapPlace): Promise<void> {
  const renames = swaps.flatMap(({ scratch, target, old }) => [
    ...(old === null ? [] : [renameStatement(target, old)]),
    renameStatement(scratch, target),
  ]);
  const session = await place.open();
  try {
    for (const { target, old } of swaps) if (old !== null) await clearSessions(session, target, place);
    await session.run(`BEGIN;\n${renames.join('\n')}\nCOMMIT;`, SWAP_LIMIT_MS);
  } finally {
    await session.close();
  }
}

const renameStatement = (from: string, to: string): string =>
  `ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(to)};`;

const isInUse = (error: unknown): boolean =>
  error instanceof AppError && error.cause instanceof SqlFailure && error.cause.state === OBJECT_IN_USE;

async function inUse(swaps: readonly Swap[], place: SwapPlace, cause: unknown): Promise<AppError> {
  const session = await place.open();
  try {
    for (const { target } of swaps) {
      const sessions = await sessionsOf(session, target);
      if (sessions.length > 0) {
        return new AppError('DATABASE_IN_USE', { name: `Database "${target}"`, sessions: describeSessions(sessions) });
      }
    }
  } finally {
    await session.close();
  }
  const names = swaps.map(({ target }) => `"${target}"`).join(', ');
  return new AppError(
    'DATABASE_IN_USE',
    { name: `Database ${names}`, sessions: 'by somebody who has left' },
    { cause },
  );
}

/** The server lists a session for a moment after its client has ended it: one of this restore is waited for. */
async function withoutParting(session: PsqlSession, database: string) {
  for (const since = systemClock.monotonicMs(); ; await systemClock.sleep(PARTING_STEP_MS)) {
    const sessions = await sessionsOf(session, database);
    const isOurs = sessions.some(({ program }) => program === PROGRAM_NAME);
    if (!isOurs || systemClock.monotonicMs() - since > PARTING_LIMIT_MS) return sessions;
  }
}

/** Throws DATABASE_IN_USE when somebody is there and may not be sent away. */
export async function clearSessions(
  session: PsqlSession,
  database: string,
  { endSessions }: Pick<SwapPlace, 'endSessions'>,
): Promise<void> {
  const sessions = await withoutParting(session, database);
  if (sessions.length === 0) return;
  if (!endSessions) {
    throw new AppError('DATABASE_IN_USE', { name: `Database "${database}"`, sessions: describeSessions(sessions) });
  }
  await session.query(
    `SELECT pg_terminate_backend(pid) AS ended FROM (VALUES ${sessions.map(({ pid }) => `(${pid})`).join(', ')}) AS other(pid)`,
  );
}
