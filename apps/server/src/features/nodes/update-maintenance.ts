import type { AgentMaintenanceUpdate } from '@backupx/contracts/agent-protocol';
import type { MaintenanceOutcome } from '../../dispatch/ports.ts';
import type { MaintenanceRow } from '../../stores/maintenance-records.store.ts';
import { type AgentCaller, answerFor, failureFor, type UpdateAnswer, type UpdateDeps } from './update-record.ts';

/** What an agent reports about work on a repository; the same promises as for backups. */
export async function updateMaintenance(
  deps: UpdateDeps,
  caller: AgentCaller,
  id: number,
  update: AgentMaintenanceUpdate,
): Promise<UpdateAnswer> {
  const record = await deps.runs.maintenance(caller.nodeId, id);
  const live = deps.runs.renew(caller.nodeId, 'maintenance', id, deps.clock.now().getTime());
  const isOpen = record.status === 'running';
  const outcome = outcomeOf(caller, update);
  if (isOpen) await take(deps, record, update);
  if (isOpen && outcome) await deps.records.finishMaintenance(id, outcome);
  if (!isOpen && outcome) await deps.records.workEnded({ owner: 'maintenance', id });
  const wantsStop = record.cancel_requested === 1 || !isOpen || (live?.cancelSinceMs ?? null) !== null;
  return answerFor(caller, wantsStop && outcome === null);
}

async function take(deps: UpdateDeps, record: MaintenanceRow, update: AgentMaintenanceUpdate): Promise<void> {
  const { reporter, runs } = deps;
  const isNewLog = update.logAppend !== undefined && runs.isNewLog('maintenance', record, update.logSequence);
  if (isNewLog) reporter.appendLog('maintenance', record.id, update.logAppend ?? '', update.logSequence);
  if (update.progress) reporter.progress('maintenance', record.id, update.progress);
  else reporter.touch('maintenance', record.id);
  // A numbered piece is not sent again once it is acknowledged: it must be on disk by then.
  if (update.status || (isNewLog && update.logSequence !== undefined)) await reporter.flush();
}

function outcomeOf(caller: AgentCaller, update: AgentMaintenanceUpdate): MaintenanceOutcome | null {
  if (update.status === 'success') return { status: 'success', result: update.result };
  if (update.status !== 'failed') return null;
  const status = update.outcome === 'cancelled' || update.outcome === 'interrupted' ? update.outcome : 'failed';
  return { status, failure: failureFor(caller, update) };
}
