/**
 * "Is everything protected?", one verdict per task. Pure: the rules are tested as such.
 *
 * A task is protected when it is switched on, its server is online, no slot was missed, and its last good backup is
 * recent enough: within its RPO, else within twice the time between two of its slots, else (no schedule) at all.
 * A damaged repository protects nothing until a check says otherwise, nor does a task whose last verification failed. A backup with warnings is good, but is told; so is a failure after a good backup that is recent enough.
 */
import type { exceptionReasonSchema } from '@backupx/contracts/api/system';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { z } from 'zod';

export type ExceptionReason = z.output<typeof exceptionReasonSchema>;

export interface TaskFacts {
  readonly isEnabled: boolean;
  readonly createdAt: string;
  /** 0: none. */
  readonly rpoHours: number;
  /** Time between two slots; null: no schedule. */
  readonly intervalMs: number | null;
  readonly nextRunAt: string | null;
  readonly isNodeOnline: boolean;
  /** A check found something in its repository that cannot be restored. */
  readonly isRepositoryDamaged: boolean;
  /** Its newest verified backup cannot be restored as it was. */
  readonly isVerifyFailed?: boolean;
  /** End of the last good backup. */
  readonly lastGoodAt: string | null;
  readonly lastStatus: RecordStatus | null;
  /** Start of the last run. */
  readonly lastRunAt: string | null;
}

export interface Verdict {
  readonly isProtected: boolean;
  /** Worth a line in the list of exceptions; a protected task can have one (warning, failed last time). */
  readonly reason: ExceptionReason | null;
  readonly since: string | null;
}

const HOUR_MS = 3_600_000;
/** A slot this long ago without a run was missed. */
const MISSED_MS = 10 * 60_000;
const BAD: readonly (RecordStatus | null)[] = ['failed', 'interrupted', 'cancelled'];

function isRecent(facts: TaskFacts, now: Date): boolean {
  if (facts.lastGoodAt === null) return false;
  const age = now.getTime() - Date.parse(facts.lastGoodAt);
  if (facts.rpoHours > 0) return age <= facts.rpoHours * HOUR_MS;
  return facts.intervalMs === null || age <= 2 * facts.intervalMs;
}

function isMissed(facts: TaskFacts, now: Date): boolean {
  return facts.nextRunAt !== null && now.getTime() - Date.parse(facts.nextRunAt) > MISSED_MS;
}

function reasonOf(facts: TaskFacts, now: Date): ExceptionReason | null {
  if (!facts.isEnabled) return 'disabled';
  if (facts.isRepositoryDamaged && !BAD.includes(facts.lastStatus)) return 'repository_damaged';
  if (BAD.includes(facts.lastStatus)) return 'failed';
  if (facts.isVerifyFailed && !BAD.includes(facts.lastStatus)) return 'verify_failed';
  if (facts.lastGoodAt === null && facts.lastStatus !== 'running') return 'never_ran';
  if (facts.lastGoodAt !== null && !isRecent(facts, now)) return facts.rpoHours > 0 ? 'rpo_breached' : 'missed';
  if (isMissed(facts, now)) return 'missed';
  if (!facts.isNodeOnline) return 'node_offline';
  return facts.lastStatus === 'warning' ? 'warning' : null;
}

function sinceOf(facts: TaskFacts, reason: ExceptionReason | null): string | null {
  if (reason === 'failed' || reason === 'warning') return facts.lastRunAt;
  if (reason === 'never_ran') return facts.createdAt;
  return reason === null ? null : facts.lastGoodAt;
}

export function judgeTask(facts: TaskFacts, now: Date): Verdict {
  const reason = reasonOf(facts, now);
  const isDamaged = facts.isRepositoryDamaged || facts.isVerifyFailed === true;
  const canRun = facts.isEnabled && facts.isNodeOnline && !isDamaged && !isMissed(facts, now);
  return { isProtected: canRun && isRecent(facts, now), reason, since: sinceOf(facts, reason) };
}

/** Worst first. */
export const reasonOrder: Readonly<Record<ExceptionReason, number>> = {
  failed: 0,
  never_ran: 1,
  rpo_breached: 2,
  repository_damaged: 3,
  verify_failed: 4,
  missed: 5,
  warning: 6,
  node_offline: 7,
  disabled: 8,
};

/** A sentence for readers without the console (scripts); the console translates the reason itself. */
export const reasonMessages: Readonly<Record<ExceptionReason, string>> = {
  failed: 'The last run did not succeed.',
  never_ran: 'There is no backup yet.',
  rpo_breached: 'The last good backup is older than agreed.',
  missed: 'A scheduled run is missing.',
  warning: 'The last backup is incomplete.',
  repository_damaged: 'A check found damage in the repository of this task.',
  verify_failed: 'The last verification found damage in a backup of this task.',
  node_offline: 'The server is offline.',
  disabled: 'The task is switched off.',
};
