/**
 * The look at all open commands, every 15 s. Status is shown fast, work is declared lost slowly: a waiting run expires
 * only after its node stayed away for a day, a dispatched one only after hours of silence, and nothing is declared lost
 * while the master itself has just started and its agents may not have found it again.
 */
import { commandsStore } from '../stores/commands.store.ts';
import { WORK_EXPIRES_MS } from './command-ends.ts';
import type { CommandLifecycleOptions } from './command-lifecycle.ts';
import { type LiveCommand, type LiveCommands, refOf, runOf } from './live-commands.ts';

const DEFAULT_LOST_AFTER_MS = 6 * 3_600_000;
/** Agents beat every 15 s: after this long everyone who can has been heard. */
const MASTER_SETTLE_MS = 90_000;
/** Activity is written to the table this often at most. */
const SAVE_ACTIVITY_MS = 60_000;
/** An agent that was told to stop and still has not reported the end. */
const CANCEL_PATIENCE_MS = 2 * 60_000;
const KEEP_ENDED_MS = 30 * 24 * 3_600_000;

interface ScanOptions extends CommandLifecycleOptions {
  readonly live: LiveCommands;
  readonly startedMs: number;
  forget(id: number): void;
}

export async function scanCommands(options: ScanOptions): Promise<void> {
  const now = options.clock.now().getTime();
  await expirePending(options, now);
  for (const command of options.live.all()) await checkDispatched(options, command, now);
  await commandsStore.purgeEndedBefore(options.db, new Date(now - KEEP_ENDED_MS).toISOString());
}

async function expirePending({ db, liveness, ends, questions, startedMs }: ScanOptions, now: number): Promise<void> {
  const nowText = new Date(now).toISOString();
  for (const row of await commandsStore.pendingPast(db, nowText)) {
    const run = runOf(row);
    if (run) {
      // The clock of a waiting run starts anew with each sign of life of its node.
      const lastSeenMs = liveness.get(row.node_id)?.lastSeenMs ?? 0;
      const expiresMs = Math.max(lastSeenMs, Date.parse(row.created_at)) + WORK_EXPIRES_MS;
      if (liveness.isOnline(row.node_id) || expiresMs > now || now - startedMs < MASTER_SETTLE_MS) {
        const later = Math.max(expiresMs, now + MASTER_SETTLE_MS);
        await commandsStore.extend(db, row.id, new Date(later).toISOString());
        continue;
      }
    }
    // First the command, so that no poll can take it while its record ends.
    const ended = await commandsStore.finish(db, row.id, { state: 'timeout', from: ['pending'], now: nowText });
    if (!ended) continue;
    if (run) await ends.neverStarted(run, row.node_id);
    const ref = refOf(row);
    if (ref) questions.settle(ref, { kind: 'timeout' });
  }
}

async function checkDispatched(options: ScanOptions, command: LiveCommand, now: number): Promise<void> {
  const { db, liveness, ends, startedMs, lostAfterMs = DEFAULT_LOST_AFTER_MS } = options;
  if (command.lane === 'control') return;
  const nowText = new Date(now).toISOString();
  if (command.cancelSinceMs !== null && now - command.cancelSinceMs > CANCEL_PATIENCE_MS) {
    if (command.run) await ends.cancel(command.run, { mayGoOn: true });
    await commandsStore.finish(db, command.id, { state: 'failed', errorMessage: 'cancelled', now: nowText });
    options.forget(command.id);
    return;
  }
  // Beats count as life: an old agent sends nothing else during a quiet dump, ours would have named a lost run.
  const signMs = Math.max(command.activityMs, liveness.get(command.nodeId)?.lastSeenMs ?? 0);
  if (now - signMs > lostAfterMs && now - startedMs >= MASTER_SETTLE_MS) {
    const silent = 'The server stayed silent for too long.';
    if (command.run) await ends.interrupt(command.run, command.nodeId, silent, { mayGoOn: true });
    await commandsStore.finish(db, command.id, { state: 'timeout', now: nowText });
    options.forget(command.id);
    return;
  }
  if (command.activityMs - command.savedActivityMs >= SAVE_ACTIVITY_MS) {
    command.savedActivityMs = command.activityMs;
    await commandsStore.noteActivity(db, command.id, new Date(command.activityMs).toISOString());
  }
}
