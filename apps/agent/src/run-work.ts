/** Runs the long commands: fetches the specification, lets the engine do the job, puts the end into words. */
import {
  agentMaintenanceSpecSchema,
  agentRestoreSpecSchema,
  agentTaskSpecSchema,
  agentVerificationSpecSchema,
  maintenancePayloadSchema,
  restoreRecordPayloadSchema,
  runTaskPayloadSchema,
  verificationPayloadSchema,
} from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Reporter } from '@backupx/engine/ports/reporter';
import { createBackoff } from './backoff.ts';
import { buildBackupJob } from './build-backup-job.ts';
import { buildRestoreJob } from './build-restore-job.ts';
import type { JournalEntry } from './journal.ts';
import { type MasterConnection, MasterError } from './master-connection.ts';
import { backupOutcome, type RunOutcome, restoreOutcome } from './run-outcome.ts';

export interface WorkContext {
  readonly engine: Engine;
  readonly connection: MasterConnection;
  readonly clock: Clock;
}

export interface WorkRun {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** How long a specification is asked for while the master is away: the claim would be stale after that. */
const specPatienceMs = 5 * 60_000;

/** Runs an accepted command to its end. Rejects with what went wrong; the caller reports it. */
export async function runWork(context: WorkContext, entry: JournalEntry, run: WorkRun): Promise<RunOutcome> {
  if (entry.type === 'run_task') return runTask(context, entry, run);
  if (entry.type === 'run_maintenance') return runMaintenance(context, entry, run);
  if (entry.type === 'run_verification') return runVerification(context, entry, run);
  return runRestore(context, entry, run);
}

async function runMaintenance(context: WorkContext, entry: JournalEntry, run: WorkRun): Promise<RunOutcome> {
  const { maintenanceRecordId } = maintenancePayloadSchema.parse(entry.payload);
  const answer = await fetchSpec(context, `/api/agent/maintenance/${maintenanceRecordId}/spec`, run.signal);
  const spec = agentMaintenanceSpecSchema.safeParse(answer);
  if (!spec.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: context.connection.masterUrl }, { cause: spec.error });
  const result: unknown = await context.engine.run(spec.data.job, run);
  return {
    update: { status: 'success', outcome: 'success', result },
    result: { success: true, result: { maintenanceRecordId } },
  };
}

async function runVerification(context: WorkContext, entry: JournalEntry, run: WorkRun): Promise<RunOutcome> {
  const { verifyRecordId } = verificationPayloadSchema.parse(entry.payload);
  const answer = await fetchSpec(context, `/api/agent/verifications/${verifyRecordId}/spec`, run.signal);
  const spec = agentVerificationSpecSchema.safeParse(answer);
  if (!spec.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: context.connection.masterUrl }, { cause: spec.error });
  const result: unknown = await context.engine.run(spec.data.job, run);
  return {
    update: { status: 'success', outcome: 'success', result },
    result: { success: true, result: { verifyRecordId } },
  };
}

async function runTask(context: WorkContext, entry: JournalEntry, run: WorkRun): Promise<RunOutcome> {
  const { taskId, recordId } = runTaskPayloadSchema.parse(entry.payload);
  const startedAt = context.clock.now();
  const answer = await fetchSpec(context, `/api/agent/tasks/${taskId}`, run.signal);
  const spec = agentTaskSpecSchema.safeParse(answer);
  if (!spec.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: context.connection.masterUrl }, { cause: spec.error });
  const job = buildBackupJob(spec.data, recordId, startedAt);
  return backupOutcome(job, await context.engine.run(job, run));
}

async function runRestore(context: WorkContext, entry: JournalEntry, run: WorkRun): Promise<RunOutcome> {
  const { restoreRecordId } = restoreRecordPayloadSchema.parse(entry.payload);
  const answer = await fetchSpec(context, `/api/agent/restores/${restoreRecordId}/spec`, run.signal);
  const spec = agentRestoreSpecSchema.safeParse(answer);
  if (!spec.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: context.connection.masterUrl }, { cause: spec.error });
  return restoreOutcome(restoreRecordId, await context.engine.run(buildRestoreJob(spec.data), run));
}

async function fetchSpec(context: WorkContext, path: string, signal: AbortSignal): Promise<unknown> {
  const backoff = createBackoff();
  const giveUpAtMs = context.clock.monotonicMs() + specPatienceMs;
  for (;;) {
    try {
      return await context.connection.call('GET', path, { signal });
    } catch (error) {
      const mayPass = error instanceof MasterError && !error.isRefusal && error.code !== 'MASTER_WRONG_CONTENT';
      const waitMs = backoff.next(error instanceof MasterError ? error.retryAfterMs : 0);
      if (!mayPass || context.clock.monotonicMs() + waitMs > giveUpAtMs) throw error;
      await context.clock.sleep(waitMs, signal);
    }
  }
}
