/**
 * Follows the binary log of a server for ever: the program of the server writes logs into the spool, each that is whole goes
 * into the archive, the one that is being written as far as it is, every minute. Where to go on, the archive says; so
 * it does not matter how the receiver, the program or the server ended.
 */
import { type AppError, toAppError } from '@backupx/contracts/errors';
import { mayStorageRecover } from '../direct-storage/follow-tool.ts';
import { ReceiveSession, type SessionOptions } from './receive-session.ts';
import { storeLeftovers } from './store-leftovers.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** So often in a row the program may end without having brought anything, although the server lets us in. */
const FRUITLESS_LIMIT = 3;
const LASTING: ReadonlySet<string> = new Set(['DATABASE_AUTH', 'DATABASE_PERMISSION']);

/** What `receiveLogs` needs. */
export type ReceiveOptions = SessionOptions;

/**
 * Ends when it is told to. Throws BINLOG_*, DATABASE_* but _UNREACHABLE, which passes, and what the storage says before
 * anything was received; what it says later may pass, too.
 */
export async function receiveLogs(options: ReceiveOptions): Promise<void> {
  const { stop, clock, log } = options;
  let [pauseMs, fruitless, hasBegun] = [FIRST_PAUSE_MS, 0, false];
  await storeLeftovers(options);
  while (!stop.aborted) {
    const ending = await followOnce(options, hasBegun);
    if (ending === 'stopped') return;
    hasBegun ||= ending === 'full' || ending.brought !== 'not connected';
    if (ending === 'full') continue;
    const { failure, brought } = ending;
    if (brought === 'something') [pauseMs, fruitless] = [FIRST_PAUSE_MS, 0];
    if (brought === 'nothing') fruitless += 1;
    if (LASTING.has(failure.code) || fruitless >= FRUITLESS_LIMIT) throw failure;
    log(`${failure.message} Going on in ${pauseMs / 1000} s.`);
    await clock.sleep(pauseMs, stop).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

interface Failed {
  readonly failure: AppError;
  readonly brought: 'something' | 'nothing' | 'not connected';
}

async function followOnce(options: ReceiveOptions, hasBegun: boolean): Promise<Failed | 'stopped' | 'full'> {
  try {
    const session = await ReceiveSession.open(options);
    const end = await session.follow();
    if (end === 'stopped' || end === 'full') return end;
    return { failure: end, brought: session.isFruitful ? 'something' : 'nothing' };
  } catch (error) {
    const failure = toAppError(error);
    if (options.stop.aborted && failure.code === 'CANCELLED') return 'stopped';
    // At the start somebody is there to read what is wrong with the storage.
    const mayPass = failure.code === 'DATABASE_UNREACHABLE' || (hasBegun && mayStorageRecover(failure));
    if (!mayPass) throw error;
    return { failure, brought: 'not connected' };
  }
}
