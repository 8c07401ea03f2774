/**
 * Fetches commands and puts them on their lane. Polling goes on while work runs, because a question (list a folder)
 * must be answered then too. A master of version 2 holds the poll open; an older one is asked every few seconds.
 */
import { type AgentCommand, agentTimings, pollOutputSchema } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import { createBackoff } from './backoff.ts';
import { createLane } from './lane.ts';
import { type MasterConnection, MasterError } from './master-connection.ts';
import type { OutageLog } from './outage-log.ts';
import { type DeliveryContext, deliverAnswer } from './result-delivery.ts';
import { runQuestion } from './run-question.ts';
import type { MasterSession } from './session.ts';
import type { WorkFloor } from './work-floor.ts';

export interface CommandLoopOptions {
  readonly connection: MasterConnection;
  readonly session: MasterSession;
  readonly clock: Clock;
  readonly outage: OutageLog;
  readonly engine: Engine;
  readonly floor: WorkFloor;
  readonly delivery: DeliveryContext;
  /** Ids of questions being answered, for the heartbeat. */
  readonly openQuestions: Set<number>;
}

/** Long commands: journaled, reported, and delivered until acknowledged. */
const workTypes: readonly string[] = ['run_task', 'restore_record', 'run_maintenance', 'run_verification'];
const controlCapacity = 4;
const longPollMs = 25_000;
/** While no work can be taken the poll is short, so that the next one tells the master soon after a place is free. */
const busyPollMs = 5_000;
const longPollGraceMs = 15_000;

/** Polls until `signal` is aborted. Waits for the first answered heartbeat. */
export async function runCommandLoop(options: CommandLoopOptions, signal: AbortSignal): Promise<void> {
  const { session, clock, outage } = options;
  const questions = createLane(controlCapacity);
  const backoff = createBackoff();

  /** Milliseconds until the next poll. */
  async function pollOnce(): Promise<number> {
    if (!session.isAccepted) return 100;
    try {
      const command = await poll(options, questions.free, signal);
      backoff.reset();
      outage.recovered();
      if (command === null) return pauseAfterNothing(session);
      take(options, command, (work) => questions.run(work));
      return 50;
    } catch (error) {
      if (signal.aborted) return 0;
      outage.failed('poll', error as Error);
      return backoff.next(error instanceof MasterError ? error.retryAfterMs : 0);
    }
  }

  while (!signal.aborted) {
    const waitMs = await pollOnce();
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}

/** Also bounds the pace should a master answer long polls at once. */
function pauseAfterNothing(session: MasterSession): number {
  return session.protocol >= 2 ? 200 : session.pollMs;
}

async function poll(
  options: CommandLoopOptions,
  freeControl: number,
  signal: AbortSignal,
): Promise<AgentCommand | null> {
  const { connection, session, floor } = options;
  const free = { work: floor.free, control: freeControl };
  const waitMs = free.work > 0 ? longPollMs : busyPollMs;
  // Agents in the field send no body; a master that knows only them is spoken to in the same way.
  const body = session.protocol >= 2 ? { waitMs, free } : undefined;
  const timeoutMs = body ? waitMs + longPollGraceMs : agentTimings.requestTimeoutMs;
  const answer = await connection.call('POST', '/api/agent/commands/poll', { body, signal, timeoutMs });
  const parsed = pollOutputSchema.safeParse(answer);
  if (!parsed.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: connection.masterUrl }, { cause: parsed.error });
  return parsed.data.command;
}

type RunQuestion = (work: () => Promise<void>) => Promise<void>;

function take(options: CommandLoopOptions, command: AgentCommand, ask: RunQuestion): void {
  const { floor, delivery, openQuestions } = options;
  const { logger } = delivery;
  logger.info({ commandId: command.id, type: command.type }, `command ${command.id} received: ${command.type}`);
  const refuse = (error: unknown) => {
    logger.error({ err: error, commandId: command.id }, 'a command could not be accepted');
    const errorMessage = `The agent could not accept the command: ${(error as Error).message}`;
    return deliverAnswer(delivery, command.id, { success: false, errorMessage, errorCode: 'INTERNAL' });
  };
  const unexpected = (error: unknown) => logger.error({ err: error, commandId: command.id }, 'answering failed');
  if (workTypes.includes(command.type)) {
    try {
      floor.accept(command);
    } catch (error) {
      refuse(error).catch(unexpected);
    }
    return;
  }
  if (openQuestions.has(command.id)) return;
  openQuestions.add(command.id);
  ask(async () => {
    const result = await runQuestion(options.engine, command, delivery.signal);
    await deliverAnswer(delivery, command.id, result);
  })
    .catch(unexpected)
    .finally(() => openQuestions.delete(command.id));
}
