/** The end of maintenance: the record, what it found out about its repository and its leases, in one transaction. */
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../../event-bus.ts';
import { type MaintenanceRow, maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { logLine } from '../log-line.ts';
import type { Db, EndOptions, FailedOutcome, MaintenanceOutcome, RecordReporter, RunRef } from '../ports.ts';
import { runFailureOf } from '../run-failure.ts';
import { type MaintenanceEnd, noteFailedMaintenance, readMaintenanceEnd } from './maintenance-effects.ts';

export interface FinishMaintenanceDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly reporter: RecordReporter;
  readonly onLeasesLeft?: (nodeId: number) => void;
  readonly endLeases: (trx: Db, run: RunRef, options: EndOptions | undefined, now: Date) => Promise<void>;
}

type Read = { readonly end: MaintenanceEnd } | { readonly failed: FailedOutcome };

/** A result that cannot be read is a failure of the run, not of whoever reports it. */
async function readOutcome(db: Db, record: MaintenanceRow, outcome: MaintenanceOutcome): Promise<Read> {
  if (outcome.status !== 'success') return { failed: outcome };
  const row = await repositoriesStore.find(db, record.repository_id);
  try {
    if (!row) throw new Error('the repository was removed meanwhile');
    return { end: readMaintenanceEnd(record, row, outcome.result) };
  } catch (error) {
    return { failed: { status: 'failed', failure: runFailureOf(error) } };
  }
}

function columnsOf(read: Read) {
  if ('end' in read) {
    const { status, result, summary, problemCount } = read.end;
    return {
      status,
      result,
      summary,
      problem_count: problemCount,
      error_message: '',
      error_code: '',
      error_params: '{}',
    };
  }
  const { status, failure } = read.failed;
  return {
    status,
    error_message: failure.message,
    error_code: failure.code,
    error_params: JSON.stringify(failure.params),
  };
}

function endLine(now: Date, read: Read): string {
  if ('failed' in read) return logLine(now, 'error', `Ended: ${read.failed.status}. ${read.failed.failure.message}`);
  return logLine(now, read.end.status === 'success' ? 'info' : 'warn', `Ended: ${read.end.summary}`);
}

export async function finishMaintenance(
  deps: FinishMaintenanceDeps,
  run: { id: number; outcome: MaintenanceOutcome; options: EndOptions | undefined },
): Promise<boolean> {
  await deps.reporter.flush();
  const { id, options } = run;
  const now = deps.clock.now();
  const record = await maintenanceRecordsStore.find(deps.db, id);
  if (!record) return false;
  const read = await readOutcome(deps.db, record, run.outcome);
  const values = { ...columnsOf(read), completed_at: now.toISOString(), last_activity_at: now.toISOString() };
  // Only what surely happened counts: a mark whose lease was given up must not condemn anything afterwards.
  const from: RecordStatus[] = ['running'];
  const ended = await deps.db.transaction().execute(async (trx) => {
    if (!(await maintenanceRecordsStore.finish(trx, id, from, values))) return false;
    await recordLogsStore.append(trx, 'maintenance', id, endLine(now, read));
    if ('end' in read) await read.end.apply(trx, now);
    else await noteFailedMaintenance(trx, record, { code: read.failed.failure.code, now });
    await deps.endLeases(trx, { owner: 'maintenance', id }, options, now);
    return true;
  });
  if (!ended) return false;
  if (options?.mayGoOn) deps.onLeasesLeft?.(record.node_id);
  deps.reporter.touch('maintenance', id);
  const repositoryId = record.repository_id;
  deps.bus.publish({ type: 'maintenance_changed', maintenanceRecordId: id, repositoryId, status: values.status });
  deps.bus.publish({ type: 'repository_changed', repositoryId });
  return true;
}
