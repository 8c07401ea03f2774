/** What a follow-up job is: a name, a payload of ids, and a function that may be run again after any failure. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { DispatchLog } from '../dispatch/dispatch-log.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Db } from '../dispatch/ports.ts';

export interface FollowupDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly dispatcher: Pick<Dispatcher, 'removeRecord' | 'continueRestore'>;
  readonly log: DispatchLog;
}

/** Must be idempotent: it runs again when the process died before its end was written. Throwing means "try later". */
export type Followup = (deps: FollowupDeps, payload: unknown) => Promise<void>;
