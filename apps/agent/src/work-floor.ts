/**
 * Where accepted work lives: from the journal entry through the run to the acknowledged result. Knows what is active,
 * cancels, resumes after a restart, and at the end of the process says what was interrupted.
 */
import { join } from 'node:path';
import type { AgentCommand } from '@backupx/contracts/agent-protocol';
import {
  maintenancePayloadSchema,
  restoreRecordPayloadSchema,
  runTaskPayloadSchema,
  verificationPayloadSchema,
} from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import { type ActiveRun, createActiveRun, journalIfPossible, runToEnd } from './active-run.ts';
import { isFinished, type JournalEntry } from './journal.ts';
import { createLane } from './lane.ts';
import { openLogSpool } from './log-spool.ts';
import { createRemoteReporter } from './remote-reporter.ts';
import { type DeliveryContext, deliverRun } from './result-delivery.ts';
import { interruptedOutcome, type StopReason } from './run-outcome.ts';
import { runWork, type WorkContext } from './run-work.ts';

export interface WorkFloorOptions extends WorkContext, Omit<DeliveryContext, 'signal'> {
  readonly spoolDir: string;
  readonly maxConcurrent: number;
}

export interface WorkFloor {
  /** Journals a work command and starts or queues it. A command that is already here is ignored. */
  accept(command: AgentCommand): void;
  /** Takes up what earlier lives of the agent left in the journal. */
  resume(): void;
  cancel(commandId: number, reason: string): void;
  readonly activeIds: number[];
  readonly free: number;
  /** Resolves when nothing runs or waits any more (results may still be on their way). */
  whenIdle(): Promise<void>;
  /** Cancels everything as `interrupted`; what has not cleaned up after `graceMs` is no longer waited for. */
  interruptAll(graceMs: number): void;
  /** Resolves when every result is acknowledged. */
  whenDelivered(): Promise<void>;
  /** Ends deliveries; journaled results are sent after the next start. */
  stopDelivering(): void;
}

export function createWorkFloor(options: WorkFloorOptions): WorkFloor {
  const { journal, logger } = options;
  const lane = createLane(options.maxConcurrent);
  const active = new Map<number, ActiveRun>();
  const deliveries = new AbortController();
  const delivery: DeliveryContext = { ...options, signal: deliveries.signal };

  function stop(commandId: number, stopReason: StopReason, why: string): void {
    const run = active.get(commandId);
    if (!run?.running || run.stopReason) return;
    run.stopReason = stopReason;
    logger.info({ commandId }, `stopping command ${commandId}: ${why}`);
    run.controller.abort(new AppError('CANCELLED'));
  }

  function start(entry: JournalEntry): void {
    const run = createActiveRun();
    active.set(entry.commandId, run);
    const spool = openLogSpool(join(options.spoolDir, `${entry.owner.kind}-${entry.owner.id}.log`));
    const reporter = createRemoteReporter({
      ...options,
      owner: entry.owner,
      spool,
      restarts: entry.restarts,
      onCancel: (why) => stop(entry.commandId, 'cancelled', why),
    });
    const finished = isFinished(entry)
      ? reporter.stop().then(() => entry)
      : runToEnd({ ...options, lane }, { entry, run }, () =>
          runWork(options, entry, { reporter, signal: run.controller.signal }),
        ).finally(() => reporter.stop());
    run.running = finished.then(() => {
      run.running = undefined;
    });
    run.delivered = finished
      .then((done) => deliverRun(delivery, done, { reporter, spool }))
      .catch((error) => logger.error({ err: error, commandId: entry.commandId }, 'delivering a result failed'))
      .finally(() => active.delete(entry.commandId));
  }

  return {
    accept(command) {
      if (active.has(command.id)) return;
      const entry = newEntry(command);
      journal.write(entry);
      start(entry);
    },
    resume() {
      for (const entry of journal.readAll()) {
        logger.info(
          { commandId: entry.commandId, found: entry.state },
          `command ${entry.commandId} was left unfinished`,
        );
        const again = { ...entry, restarts: entry.restarts + 1 };
        if (entry.state === 'running') Object.assign(again, interruptedOutcome(), { state: 'finished' });
        journalIfPossible(options, again);
        start(again);
      }
    },
    cancel: (commandId, reason) => stop(commandId, 'cancelled', reason),
    get activeIds() {
      return [...active.keys()];
    },
    get free() {
      return lane.free;
    },
    async whenIdle() {
      await Promise.all([...active.values()].map((run) => run.running ?? Promise.resolve()));
    },
    interruptAll(graceMs) {
      for (const [commandId, run] of active) {
        stop(commandId, 'interrupted', 'the agent is stopping');
        setTimeout(() => run.abandoned.abort(new AppError('CANCELLED')), graceMs).unref();
      }
    },
    async whenDelivered() {
      await Promise.all([...active.values()].map((run) => run.delivered));
    },
    stopDelivering: () => deliveries.abort(),
  };
}

/** Throws a ZodError when the payload is not what the type of command demands. */
function newEntry(command: AgentCommand): JournalEntry {
  const rest = { commandId: command.id, state: 'accepted', restarts: 0 } as const;
  if (command.type === 'run_task') {
    const payload = runTaskPayloadSchema.parse(command.payload);
    return { ...rest, type: 'run_task', payload, owner: { kind: 'record', id: payload.recordId } };
  }
  if (command.type === 'run_maintenance') {
    const payload = maintenancePayloadSchema.parse(command.payload);
    return {
      ...rest,
      type: 'run_maintenance',
      payload,
      owner: { kind: 'maintenance', id: payload.maintenanceRecordId },
    };
  }
  if (command.type === 'run_verification') {
    const payload = verificationPayloadSchema.parse(command.payload);
    return { ...rest, type: 'run_verification', payload, owner: { kind: 'verify', id: payload.verifyRecordId } };
  }
  const payload = restoreRecordPayloadSchema.parse(command.payload);
  return { ...rest, type: 'restore_record', payload, owner: { kind: 'restore', id: payload.restoreRecordId } };
}
