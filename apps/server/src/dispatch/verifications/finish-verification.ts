/** The end of a verification: its record, what is known of the backup now, and its lease, in one transaction. */
import { type VerifyArtifactResult, verifyArtifactResultSchema } from '@backupx/contracts/jobs';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../../event-bus.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { verifyRecordsStore } from '../../stores/verify-records.store.ts';
import { logLine } from '../log-line.ts';
import type { Db, EndOptions, FailedOutcome, RecordReporter, RunRef, VerifyOutcome } from '../ports.ts';
import { runFailureOf } from '../run-failure.ts';

export interface FinishVerificationDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly reporter: RecordReporter;
  readonly onLeasesLeft?: (nodeId: number) => void;
  readonly onVerifyEnded?: (end: { status: string }) => void;
  readonly endLeases: (trx: Db, run: RunRef, options: EndOptions | undefined, now: Date) => Promise<void>;
}

type Read = { readonly result: VerifyArtifactResult } | { readonly failed: FailedOutcome };

/** A result that cannot be read is a failure of the run, not of whoever reports it. */
function readOutcome(outcome: VerifyOutcome): Read {
  if (outcome.status !== 'success') return { failed: outcome };
  try {
    return { result: verifyArtifactResultSchema.parse(outcome.result) };
  } catch (error) {
    return { failed: { status: 'failed', failure: runFailureOf(error) } };
  }
}

function summaryOf({ checks }: VerifyArtifactResult): string {
  const failed = checks.filter((check) => !check.ok);
  const told = failed[0];
  if (checks.length === 0) return 'Nothing was checked.';
  if (!told) return checks.length === 1 ? '1 check passed.' : `All ${checks.length} checks passed.`;
  const sentence = `${told.subject}: ${told.detail || told.name}`;
  return failed.length > 1 ? `${sentence} (and ${failed.length - 1} more)` : sentence;
}

function columnsOf(read: Read) {
  if ('failed' in read) {
    const { status, failure } = read.failed;
    const params = JSON.stringify(failure.params);
    return { status, error_message: failure.message, error_code: failure.code, error_params: params };
  }
  const { result } = read;
  const summary = summaryOf(result);
  const isGood = result.status === 'success';
  return {
    status: isGood ? ('success' as const) : ('failed' as const),
    checks: JSON.stringify(result.checks),
    summary,
    item_count: result.itemCount,
    source_bytes: result.sourceBytes,
    stored_bytes: result.storedBytes,
    problem_count: result.checks.filter((check) => !check.ok).length,
    error_message: isGood ? '' : summary,
    error_code: isGood ? '' : 'ARTIFACT_DAMAGED',
    error_params: isGood ? '{}' : JSON.stringify({ reason: summary }),
  };
}

function endLine(now: Date, read: Read): string {
  if ('failed' in read) return logLine(now, 'error', `Ended: ${read.failed.status}. ${read.failed.failure.message}`);
  const isGood = read.result.status === 'success';
  const checks = read.result.checks.map(({ subject, name, ok, detail }) =>
    logLine(now, ok ? 'info' : 'error', `${ok ? 'passed' : 'FAILED'} ${name}: ${subject}: ${detail}`),
  );
  return [...checks, logLine(now, isGood ? 'info' : 'error', isGood ? 'Ended: success.' : 'Ended: damage found.')].join(
    '',
  );
}

/** Answers false when somebody else had ended it before. */
export async function finishVerification(
  deps: FinishVerificationDeps,
  run: { id: number; outcome: VerifyOutcome; options: EndOptions | undefined },
): Promise<boolean> {
  await deps.reporter.flush();
  const { id, options } = run;
  const now = deps.clock.now();
  const at = now.toISOString();
  const row = await verifyRecordsStore.find(deps.db, id);
  if (!row) return false;
  const read = readOutcome(run.outcome);
  // Nobody needs the secrets of a verification that is over.
  const values = { ...columnsOf(read), options_sealed: '', completed_at: at, last_activity_at: at };
  const from: RecordStatus[] = ['running'];
  const ended = await deps.db.transaction().execute(async (trx) => {
    if (!(await verifyRecordsStore.finish(trx, id, from, values))) return false;
    await recordLogsStore.append(trx, 'verify', id, endLine(now, read));
    // What could not be looked at says nothing about the backup.
    if ('result' in read) {
      const verified = { verified_status: values.status, verified_mode: row.mode, verified_at: at };
      await recordsStore.update(trx, row.record_id, verified);
    }
    await deps.endLeases(trx, { owner: 'verify', id }, options, now);
    return true;
  });
  if (!ended) return false;
  if (options?.mayGoOn) deps.onLeasesLeft?.(row.node_id);
  deps.reporter.touch('verify', id);
  const { record_id: recordId, task_id: taskId } = row;
  deps.bus.publish({ type: 'verify_changed', verifyRecordId: id, recordId, taskId, status: values.status });
  deps.onVerifyEnded?.({ status: values.status });
  return true;
}
