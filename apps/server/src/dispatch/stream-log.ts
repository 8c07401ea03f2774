/**
 * The live log of a run: replays what is stored from an offset, follows the writer, ends with `end`.
 *
 * It reads pieces from the database and lets the reporter only wake it, so a slow listener costs no memory and a
 * missed wake costs a moment: every five seconds it looks by itself.
 */
import type { RecordLogEvent } from '@backupx/contracts/events';
import type { JobProgress } from '@backupx/contracts/jobs';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import { runStores } from '../stores/run-stores.ts';
import type { Db, RecordOwner } from './ports.ts';
import type { LiveRecordReporter } from './record-reporter.ts';

export interface StreamLogDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly reporter: LiveRecordReporter;
}

export interface LogListener {
  /** Characters the listener has already (its `Last-Event-ID`). */
  readonly offset: number;
  readonly signal: AbortSignal;
  /** `nextOffset` is the event's id. Answers false when the listener is gone. */
  send(event: RecordLogEvent, nextOffset: number): boolean;
}

const PIECES_AT_ONCE = 100;
const LOOK_AGAIN_MS = 5000;

interface RunState {
  readonly status: RecordStatus;
  readonly progress: string;
  readonly completedAt: string | null;
}

async function readState(db: Db, owner: RecordOwner, id: number): Promise<RunState | null> {
  const row = await runStores[owner].find(db, id);
  if (!row) return null;
  return { status: row.status as RecordStatus, progress: row.progress, completedAt: row.completed_at };
}

/** Sends all stored text the listener lacks; `position` moves on with it. Answers false when the listener is gone. */
async function sendStored(
  deps: StreamLogDeps,
  run: { owner: RecordOwner; id: number },
  listener: LogListener,
  position: { afterId: number; offset: number },
): Promise<boolean> {
  for (;;) {
    const page = { afterId: position.afterId, limit: PIECES_AT_ONCE };
    const pieces = await recordLogsStore.piecesAfter(deps.db, run.owner, run.id, page);
    for (const piece of pieces) {
      const start = position.offset;
      position.afterId = piece.id;
      position.offset += piece.text.length;
      if (position.offset <= listener.offset) continue;
      const known = Math.max(0, listener.offset - start);
      const event = { type: 'log', offset: start + known, text: piece.text.slice(known) } as const;
      if (!listener.send(event, position.offset)) return false;
    }
    if (pieces.length < PIECES_AT_ONCE) return true;
  }
}

interface Position {
  afterId: number;
  offset: number;
  lastProgress: string;
}

/** Sends what is new; answers false when there is nothing more to come: the run has ended or the listener is gone. */
async function sendNews(
  deps: StreamLogDeps,
  run: { owner: RecordOwner; id: number },
  listener: LogListener,
  position: Position,
): Promise<boolean> {
  // The state is read before the text: an end seen here has all of its text in the pieces read after it.
  let state = await readState(deps.db, run.owner, run.id);
  if (state?.status !== 'running') {
    await deps.reporter.flush();
    state = await readState(deps.db, run.owner, run.id);
  }
  if (!(await sendStored(deps, run, listener, position))) return false;
  if (state?.status !== 'running') {
    const end = { status: state?.status ?? 'failed', completedAt: state?.completedAt ?? null };
    listener.send({ type: 'end', ...end }, position.offset);
    return false;
  }
  if (state.progress === '' || state.progress === position.lastProgress) return true;
  position.lastProgress = state.progress;
  const progress = JSON.parse(state.progress) as JobProgress;
  return listener.send({ type: 'progress', progress }, position.offset);
}

/** Resolves when the run has ended and everything was sent, or the listener is gone. */
export async function streamLog(
  deps: StreamLogDeps,
  run: { owner: RecordOwner; id: number },
  listener: LogListener,
): Promise<void> {
  const position: Position = { afterId: 0, offset: 0, lastProgress: '' };
  let alarm = new AbortController();
  const unfollow = deps.reporter.follow(run.owner, run.id, () => alarm.abort());
  try {
    while (!listener.signal.aborted) {
      alarm = new AbortController();
      if (!(await sendNews(deps, run, listener, position))) return;
      const signal = AbortSignal.any([alarm.signal, listener.signal]);
      await deps.clock.sleep(LOOK_AGAIN_MS, signal).catch(() => undefined);
    }
  } finally {
    unfollow();
  }
}
