/** Ends sessions of others, and waits until they have gone. */
import type { AppError } from '@backupx/contracts/errors';
import { systemClock } from './clock.ts';

/** So long they may take to go. */
const END_LIMIT_MS = 30_000;
const END_STEP_MS = 100;

/** How a kind of server does it. */
export interface SessionEnder<S> {
  /** Who is there now. */
  list(): Promise<readonly S[]>;
  /** Tells the server to end one; may fail for one that has gone by itself. */
  end(session: S): Promise<unknown>;
  /** The error for those that are still there. */
  inUse(left: readonly S[], cause?: unknown): AppError;
  readonly signal: AbortSignal;
}

/**
 * Throws what `inUse` makes when the server refuses to end one that is there, or one does not go in time. Those that come
 * meanwhile are not waited for.
 */
export async function endSessions<S extends { readonly id: string }>(
  sessions: readonly S[],
  { list, end, inUse, signal }: SessionEnder<S>,
): Promise<void> {
  const refusals = new Map<string, unknown>();
  for (const session of sessions) {
    // One that ended meanwhile is no failure; whether they have gone is looked at.
    await end(session).catch((error: unknown) => refusals.set(session.id, error));
  }
  const ids = new Set(sessions.map(({ id }) => id));
  // What a session has not committed is taken back first, and until then it holds its tables.
  for (const since = systemClock.monotonicMs(); ; await systemClock.sleep(END_STEP_MS, signal)) {
    const left = (await list()).filter(({ id }) => ids.has(id));
    if (left.length === 0) return;
    const refused = left.find(({ id }) => refusals.has(id));
    if (refused) throw inUse(left, refusals.get(refused.id));
    if (systemClock.monotonicMs() - since > END_LIMIT_MS) throw inUse(left);
  }
}
