import { AppError } from '@backupx/contracts/errors';
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import type { PsqlSession } from './psql-session.ts';
import { ServerWatch } from './server-watch.ts';

afterEach(() => vi.restoreAllMocks());

/** Time that passes at once; a session that answers so many times. */
function watchOver(answers: number, failure = new AppError('TIMEOUT', { what: 'here', seconds: 300 })) {
  const asked: number[] = [];
  vi.spyOn(systemClock, 'sleep').mockImplementation(async (_, signal) => signal?.throwIfAborted());
  const query = async (_select: string, limitMs: number) => {
    asked.push(limitMs);
    if (asked.length > answers) throw failure;
    // Others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
    return [];
  };
  const run = new AbortController();
  return { watch: new ServerWatch({ query } as unknown as PsqlSession, run.signal), run, asked, failure };
}

it('ends the program when the server says nothing any more, and says why', async () => {
  const { watch, asked, failure } = watchOver(2);
  if (!watch.signal.aborted) await new Promise((resolve) => watch.signal.addEventListener('abort', resolve));
  expect([watch.failure, asked]).toEqual([failure, [300_000, 300_000, 300_000]]);
  await watch.stop();
});

it('takes neither its own end nor that of the run for one of the server', async () => {
  const ended = watchOver(Number.POSITIVE_INFINITY);
  await ended.watch.stop();
  expect([ended.watch.signal.aborted, ended.watch.failure]).toEqual([false, null]);
  const asked = ended.asked.length;
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended.asked).toHaveLength(asked);
  const cancelled = watchOver(Number.POSITIVE_INFINITY);
  cancelled.run.abort();
  await cancelled.watch.stop();
  expect([cancelled.watch.signal.aborted, cancelled.watch.failure]).toEqual([true, null]);
});
