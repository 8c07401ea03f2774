import type { AgentRestoreUpdate } from '@backupx/contracts/agent-protocol';
import type { RecordLifecycle } from '../../dispatch/ports.ts';
import type { RestoreRecordRow } from '../../stores/restore-records.store.ts';
import { type AgentCaller, answerFor, failureFor, type UpdateAnswer, type UpdateDeps } from './update-record.ts';

type Outcome = Parameters<RecordLifecycle['finishRestore']>[1];

/** What an agent reports about a restore; the same promises as for backups. */
export async function updateRestore(
  deps: UpdateDeps,
  caller: AgentCaller,
  id: number,
  update: AgentRestoreUpdate,
): Promise<UpdateAnswer> {
  const restore = await deps.runs.restore(caller.nodeId, id);
  const live = deps.runs.renew(caller.nodeId, 'restore', id, deps.clock.now().getTime());
  const isOpen = restore.status === 'running' || restore.status === 'interrupted';
  const outcome = outcomeOf(caller, update);
  if (!isOpen && outcome) await deps.records.workEnded({ owner: 'restore', id });
  if (isOpen) await take(deps, restore, update);
  if (isOpen && outcome) await deps.records.finishRestore(id, outcome);
  const wantsStop = restore.cancel_requested === 1 || !isOpen || (live?.cancelSinceMs ?? null) !== null;
  return answerFor(caller, wantsStop && outcome === null);
}

async function take(deps: UpdateDeps, restore: RestoreRecordRow, update: AgentRestoreUpdate): Promise<void> {
  const { reporter, runs } = deps;
  const isNewLog = update.logAppend !== undefined && runs.isNewLog('restore', restore, update.logSequence);
  if (isNewLog) reporter.appendLog('restore', restore.id, update.logAppend ?? '', update.logSequence);
  if (update.progress) reporter.progress('restore', restore.id, update.progress);
  else reporter.touch('restore', restore.id);
  // A numbered piece is not sent again once it is acknowledged: it must be on disk by then.
  if (update.status || (isNewLog && update.logSequence !== undefined)) await reporter.flush();
}

function outcomeOf(caller: AgentCaller, update: AgentRestoreUpdate): Outcome | null {
  const problems = update.problems ?? [];
  if (update.status === 'success') {
    const status = update.outcome === 'warning' ? 'warning' : 'success';
    return {
      status,
      result: {
        status,
        itemsWritten: update.itemsWritten ?? 0,
        bytesWritten: update.bytesWritten ?? 0,
        itemsSkipped: update.itemsSkipped ?? 0,
        problems,
        problemCount: update.problemCount ?? problems.length,
      },
    };
  }
  if (update.status !== 'failed') return null;
  const status = update.outcome === 'cancelled' || update.outcome === 'interrupted' ? update.outcome : 'failed';
  return { status, failure: failureFor(caller, update), problems };
}
