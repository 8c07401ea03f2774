/**
 * Runs follow-ups one after another: claim, run, write the end. Failures come back after 10 s, 20 s, 40 s … at most an
 * hour; after the last attempt the row stays as `failed` with its error. A claim lost with its process is free again
 * at the next start, or when its lease is over.
 */
import type { Clock } from '@backupx/engine/ports/clock';
import { type FollowupRow, followupsStore } from '../stores/followups.store.ts';
import type { Followup, FollowupDeps } from './followup.ts';
import { followups } from './index.ts';

export interface FollowupWorker {
  /** Looks at the queue soon; safe to call at any time. */
  wake(): void;
  start(): Promise<void>;
  /** Lets the running follow-up end. */
  stop(): Promise<void>;
  /** Runs what is due until nothing is; answers how many ran. For tests and for `start`. */
  drain(): Promise<number>;
}

const LEASE_MS = 10 * 60_000;
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 3_600_000;
/** With the waits above: about two days. */
const MAX_ATTEMPTS = 56;
const IDLE_MS = 5000;
const KEEP_ENDED_MS = 7 * 86_400_000;
const PURGE_EVERY_MS = 3_600_000;

/** Wait before attempt `attempts + 1`, in milliseconds. */
export function retryDelayMs(attempts: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 20));
}

function after(clock: Clock, ms: number): string {
  return new Date(clock.now().getTime() + ms).toISOString();
}

export function createFollowupWorker(
  deps: FollowupDeps,
  known: Readonly<Record<string, Followup>> = followups,
): FollowupWorker {
  const { db, clock, log } = deps;
  const stopping = new AbortController();
  let alarm = new AbortController();
  let loop: Promise<void> | undefined;
  let lastPurgeMs = Number.NEGATIVE_INFINITY;

  async function runOne(row: FollowupRow): Promise<void> {
    const followup = known[row.name];
    try {
      if (!followup) throw new Error(`there is no follow-up named ${row.name}`);
      await followup(deps, JSON.parse(row.payload));
      await followupsStore.complete(db, row.id, clock.now().toISOString());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.warn({ err: error }, `follow-up ${row.name} ${row.payload} failed (attempt ${row.attempts}): ${message}`);
      if (row.attempts >= MAX_ATTEMPTS || !followup) {
        await followupsStore.giveUp(db, row.id, clock.now().toISOString(), message);
      } else {
        await followupsStore.retryLater(db, row.id, after(clock, retryDelayMs(row.attempts)), message);
      }
    }
  }

  async function purge(): Promise<void> {
    if (clock.monotonicMs() - lastPurgeMs < PURGE_EVERY_MS) return;
    lastPurgeMs = clock.monotonicMs();
    await followupsStore.removeEnded(db, after(clock, -KEEP_ENDED_MS));
  }

  async function drain(): Promise<number> {
    for (let count = 0; ; count += 1) {
      if (stopping.signal.aborted) return count;
      const row = await followupsStore.claim(db, clock.now().toISOString(), after(clock, LEASE_MS));
      if (!row) return count;
      await runOne(row);
    }
  }

  async function runLoop(): Promise<void> {
    while (!stopping.signal.aborted) {
      alarm = new AbortController();
      try {
        await drain();
        await purge();
      } catch (error) {
        log.error({ err: error }, 'the follow-up queue could not be read');
      }
      const signal = AbortSignal.any([alarm.signal, stopping.signal]);
      await clock.sleep(IDLE_MS, signal).catch(() => undefined);
    }
  }

  return {
    wake() {
      alarm.abort();
    },
    async start() {
      await followupsStore.releaseClaims(db, clock.now().toISOString());
      loop ??= runLoop();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
    drain,
  };
}
