/**
 * Brings results to the master until it has acknowledged them: for a run the rest of its log, the closing update, then
 * the command result. Outages are waited out for as long as they last; only a clear refusal ends the attempts.
 */
import type { CommandResultBody } from '@backupx/contracts/agent-protocol';
import type { Clock } from '@backupx/engine/ports/clock';
import { createBackoff } from './backoff.ts';
import type { FinishedEntry, Journal } from './journal.ts';
import type { LogSpool } from './log-spool.ts';
import type { AgentLogger } from './logger.ts';
import { type MasterConnection, MasterError } from './master-connection.ts';
import { type RemoteReporter, updatePath } from './remote-reporter.ts';
import { plainUpdate } from './run-outcome.ts';
import type { MasterSession } from './session.ts';

export interface DeliveryContext {
  readonly connection: MasterConnection;
  readonly session: MasterSession;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: AgentLogger;
  /** Ends all attempts; what is journaled is sent again after the next start. */
  readonly signal: AbortSignal;
}

/** The master waits 15 s for the answer to a question; later nobody is interested. */
const questionPatienceMs = 60_000;

/** Delivers the end of a run; resolves when the master has it, or has refused it, or the agent stops. */
export async function deliverRun(
  context: DeliveryContext,
  entry: FinishedEntry,
  log: { reporter: RemoteReporter; spool: LogSpool },
): Promise<void> {
  const { connection, signal } = context;
  const path = updatePath(entry.owner);
  const post = (to: string, body: unknown) => connection.call('POST', to, { body, signal });
  try {
    await untilAnswered(context, 'log', () => log.reporter.drain(signal));
    let refusal = await untilAnswered(context, 'closing update', () => post(path, entry.update));
    if (refusal?.httpStatus === 400 || refusal?.httpStatus === 413) {
      refusal = await untilAnswered(context, 'short closing update', () => post(path, plainUpdate(entry.update)));
    }
    // A success the record does not know of would leave it running for ever.
    const result = refusal ? { success: false, errorMessage: refusal.message } : entry.result;
    await untilAnswered(context, 'result', () => post(resultPath(entry.commandId), result));
  } catch (error) {
    if (!signal.aborted) throw error;
    log.spool.save();
    return;
  }
  context.journal.remove(entry.commandId);
  log.spool.discard();
}

/** Delivers the answer to a question while somebody may still wait for it. */
export async function deliverAnswer(
  context: DeliveryContext,
  commandId: number,
  body: CommandResultBody,
): Promise<void> {
  const limit = AbortSignal.timeout(questionPatienceMs);
  const signal = AbortSignal.any([context.signal, limit]);
  const send = () => context.connection.call('POST', resultPath(commandId), { body, signal });
  try {
    await untilAnswered({ ...context, signal }, 'answer', send);
  } catch (error) {
    if (!signal.aborted) throw error;
    context.logger.warn({ commandId }, 'an answer could not be delivered in time');
  }
}

function resultPath(commandId: number): string {
  return `/api/agent/commands/${commandId}/result`;
}

/** Repeats `send` over outages. Answers the refusal that ended it, or null after success. */
async function untilAnswered(
  context: DeliveryContext,
  what: string,
  send: () => Promise<unknown>,
): Promise<MasterError | null> {
  const backoff = createBackoff();
  for (;;) {
    try {
      await send();
      return null;
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof MasterError)) throw error;
      if (isFinalRefusal(error, context.session)) {
        context.logger.warn(
          { status: error.httpStatus, code: error.remoteCode },
          `the master refused the ${what}: ${error.message}`,
        );
        return error;
      }
      await context.clock.sleep(backoff.next(error.retryAfterMs), context.signal);
    }
  }
}

/** A refused token says nothing about the result: while heartbeats are refused too, the result waits. */
function isFinalRefusal(error: MasterError, session: MasterSession): boolean {
  if (!error.isRefusal || error.remoteCode === '') return false;
  return error.httpStatus !== 401 || session.isAccepted;
}
