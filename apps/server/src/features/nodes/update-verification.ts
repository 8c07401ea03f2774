import { type AgentMaintenanceUpdate, agentRoutes } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { JobBuilder, VerifyOutcome } from '../../dispatch/ports.ts';
import { type Actor, type BoundRoute, bind } from '../../http/route-context.ts';
import type { VerifyRecordRow } from '../../stores/verify-records.store.ts';
import { type AgentCaller, answerFor, failureFor, type UpdateAnswer, type UpdateDeps } from './update-record.ts';

/** The routes an agent calls about a verification: its job, and what came of it. */
export function verificationRoutesOf(
  updates: UpdateDeps,
  jobs: JobBuilder,
  callerOf: (actor: Actor) => AgentCaller,
): BoundRoute[] {
  const { runs, clock } = updates;
  return [
    bind(agentRoutes.verificationSpec, async ({ actor, params }) => {
      const { nodeId } = callerOf(actor);
      const row = await runs.verification(nodeId, params.id);
      if (!runs.renew(nodeId, 'verify', row.id, clock.now().getTime())) throw new AppError('VERIFY_RECORD_FORBIDDEN');
      return { verifyRecordId: row.id, job: await jobs.verificationJob(row.id) };
    }),
    bind(agentRoutes.verificationUpdate, ({ actor, params, body }) =>
      updateVerification(updates, callerOf(actor), params.id, body),
    ),
  ];
}

/** What an agent reports about a verification; the same promises as for backups. */
async function updateVerification(
  deps: UpdateDeps,
  caller: AgentCaller,
  id: number,
  update: AgentMaintenanceUpdate,
): Promise<UpdateAnswer> {
  const row = await deps.runs.verification(caller.nodeId, id);
  const live = deps.runs.renew(caller.nodeId, 'verify', id, deps.clock.now().getTime());
  const isOpen = row.status === 'running';
  const outcome = outcomeOf(caller, update);
  if (isOpen) await take(deps, row, update);
  if (isOpen && outcome) await deps.records.finishVerification(id, outcome);
  if (!isOpen && outcome) await deps.records.workEnded({ owner: 'verify', id });
  const wantsStop = row.cancel_requested === 1 || !isOpen || (live?.cancelSinceMs ?? null) !== null;
  return answerFor(caller, wantsStop && outcome === null);
}

async function take(deps: UpdateDeps, row: VerifyRecordRow, update: AgentMaintenanceUpdate): Promise<void> {
  const { reporter, runs } = deps;
  const isNewLog = update.logAppend !== undefined && runs.isNewLog('verify', row, update.logSequence);
  if (isNewLog) reporter.appendLog('verify', row.id, update.logAppend ?? '', update.logSequence);
  if (update.progress) reporter.progress('verify', row.id, update.progress);
  else reporter.touch('verify', row.id);
  // A numbered piece is not sent again once it is acknowledged: it must be on disk by then.
  if (update.status || (isNewLog && update.logSequence !== undefined)) await reporter.flush();
}

function outcomeOf(caller: AgentCaller, update: AgentMaintenanceUpdate): VerifyOutcome | null {
  if (update.status === 'success') return { status: 'success', result: update.result };
  if (update.status !== 'failed') return null;
  const status = update.outcome === 'cancelled' || update.outcome === 'interrupted' ? update.outcome : 'failed';
  return { status, failure: failureFor(caller, update) };
}
