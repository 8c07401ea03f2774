/**
 * Carries log and progress of one run to the master: at most one request per second, never in the way of the run.
 *
 * `progress` and `log` only store; a loop of its own sends. What cannot be sent waits in the log spool. The closing
 * update is not sent here: it is journaled first and delivered by `result-delivery`, after the rest of the log.
 */
import { agentRecordUpdateOutputSchema } from '@backupx/contracts/agent-protocol';
import type { JobProgress, LogLevel } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Reporter } from '@backupx/engine/ports/reporter';
import { createBackoff } from './backoff.ts';
import type { RunOwner } from './journal.ts';
import type { LogSpool } from './log-spool.ts';
import { type MasterConnection, MasterError } from './master-connection.ts';
import type { MasterSession } from './session.ts';

/** Between two requests of one run. */
const minimumGapMs = 1000;
/** How long the end of a run waits for the request that is under way; a piece cut off is sent again. */
const lastRequestMs = 3000;
/** Log sequence numbers of one process life; a later life starts above them. */
const sequencesPerLife = 10_000_000;

export interface RemoteReporterOptions {
  readonly connection: MasterConnection;
  readonly session: MasterSession;
  readonly clock: Clock;
  readonly owner: RunOwner;
  readonly spool: LogSpool;
  readonly restarts: number;
  /** The master wants the run stopped, or has deleted its record. */
  readonly onCancel: (reason: string) => void;
}

export interface RemoteReporter extends Reporter {
  /** Stops sending in the background; ends after the request that is under way. */
  stop(): Promise<void>;
  /** Sends what the spool holds, one piece per call to the master. Throws `MasterError` when the master fails. */
  drain(signal: AbortSignal): Promise<void>;
}

const updateFolders = {
  record: 'records',
  restore: 'restores',
  maintenance: 'maintenance',
  verify: 'verifications',
} as const;

/** Path of the update route of a run. */
export function updatePath(owner: RunOwner): string {
  return `/api/agent/${updateFolders[owner.kind]}/${owner.id}`;
}

export function createRemoteReporter(options: RemoteReporterOptions): RemoteReporter {
  const { connection, session, clock, owner, spool } = options;
  const stopping = new AbortController();
  const cutting = new AbortController();
  const backoff = createBackoff();
  let latest: JobProgress | null = null;
  let sequence = Math.min(options.restarts, 400) * sequencesPerLife;
  /** A piece keeps its number while it is sent again, so that the master appends it once. */
  let pieceSequence = 0;
  let announced = false;
  let wake: () => void = () => {};
  stopping.signal.addEventListener('abort', () => wake(), { once: true });

  /** What is to be said now; null when there is nothing. */
  function nextBody(text: string, progress: JobProgress | null): Record<string, unknown> | null {
    if (text === '' && progress === null && announced) return null;
    if (text !== '' && pieceSequence === 0) pieceSequence = ++sequence;
    return {
      ...(announced ? {} : { status: 'running' }),
      ...(text === '' ? {} : { logAppend: text, logSequence: pieceSequence }),
      ...(progress === null ? {} : { progress }),
    };
  }

  async function send(signal?: AbortSignal): Promise<void> {
    const text = spool.peek();
    const progress = session.protocol >= 2 ? latest : null;
    const body = nextBody(text, progress);
    if (body === null) return;
    const answer = await connection.call('POST', updatePath(owner), { body, signal });
    announced = true;
    if (latest === progress || session.protocol < 2) latest = null;
    if (text !== '') {
      spool.sent();
      pieceSequence = 0;
    }
    const parsed = agentRecordUpdateOutputSchema.safeParse(answer);
    if (parsed.success && parsed.data.cancel) options.onCancel('the master asked to stop it');
  }

  /** Milliseconds until the next request. */
  async function sendOnce(): Promise<number> {
    try {
      await send(cutting.signal);
      backoff.reset();
      return minimumGapMs;
    } catch (error) {
      if (!(error instanceof MasterError)) return backoff.next();
      // A deleted record has no use for the artifact; any other refusal may be a fault of the master.
      if (/_RECORD_NOT_FOUND$/.test(error.remoteCode)) options.onCancel('its record was deleted on the master');
      return backoff.next(error.retryAfterMs);
    }
  }

  async function somethingToSay(): Promise<void> {
    if (stopping.signal.aborted || !spool.isEmpty || latest !== null) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }

  async function sendLoop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(await sendOnce(), stopping.signal).catch(() => {});
      await somethingToSay();
    }
  }
  const sending = sendLoop();

  return {
    progress(progress) {
      latest = progress;
      wake();
    },
    log(level, message) {
      spool.add(formatLogLine(clock.now(), level, message));
      wake();
    },
    async stop() {
      stopping.abort();
      const cut = setTimeout(() => cutting.abort(), lastRequestMs);
      await sending.finally(() => clearTimeout(cut));
    },
    async drain(signal) {
      latest = null;
      announced = true;
      while (!spool.isEmpty) await send(signal);
    },
  };
}

/** `2026-01-31T12:00:00.000Z INFO text`, one line, as the master writes its own. */
function formatLogLine(at: Date, level: LogLevel, message: string): string {
  return `${at.toISOString()} ${level.toUpperCase()} ${message.replace(/[\r\n]+/g, ' ')}\n`;
}
