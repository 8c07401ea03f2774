/**
 * Log and progress of every run, from any node. Callers never wait and never see an error: text is buffered and written
 * in one transaction at most every 250 ms, a progress snapshot replaces the one before it.
 *
 * A log keeps its first 8 MiB and its last 2 MiB of characters; a marker line stands for what is missing between them.
 */
import type { JobProgress } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import { recordsStore } from '../stores/records.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { createLogTrimmer, type LogCaps } from './log-trimmer.ts';
import type { Db, RecordOwner, RecordReporter } from './ports.ts';

export interface RecordReporterDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  /** Told about writes that failed; the buffer is kept and tried again. */
  readonly onWriteError?: (error: unknown) => void;
  readonly caps?: LogCaps;
}

/** The reporter plus the live feed that log streams follow. */
export interface LiveRecordReporter extends RecordReporter {
  /** Calls `wake` after each write that concerns this run; answers the function that ends it. */
  follow(owner: RecordOwner, id: number, wake: () => void): () => void;
}

const FLUSH_MS = 250;
const PUBLISH_MS = 500;
/** Characters held per run while the database refuses writes; beyond it the middle is dropped. */
const MAX_BUFFERED = 4 * 1024 * 1024;
/** Runs whose parents and log lengths are remembered. */
const MAX_REMEMBERED = 1000;

interface Pending {
  readonly owner: RecordOwner;
  readonly id: number;
  text: string[];
  characters: number;
  progress: JobProgress | null;
}

interface Published {
  /** Task of a record, record of a restore. */
  readonly parentId: number;
  lastMs: number;
}

export function createRecordReporter(deps: RecordReporterDeps): LiveRecordReporter {
  const { db, clock, bus } = deps;
  const trimmer = createLogTrimmer(deps.caps);
  const followers = new Map<string, Set<() => void>>();
  const published = new Map<string, Published>();
  let pending = new Map<string, Pending>();
  let isScheduled = false;
  let writing: Promise<void> = Promise.resolve();

  const keyOf = (owner: RecordOwner, id: number) => `${owner}:${id}`;

  function entry(owner: RecordOwner, id: number): Pending {
    const key = keyOf(owner, id);
    let found = pending.get(key);
    if (!found) {
      found = { owner, id, text: [], characters: 0, progress: null };
      pending.set(key, found);
    }
    if (!isScheduled) {
      isScheduled = true;
      setTimeout(() => {
        isScheduled = false;
        void flush();
      }, FLUSH_MS).unref();
    }
    return found;
  }

  async function writeOne(trx: Db, item: Pending, at: string): Promise<void> {
    if (item.text.length > 0) {
      const { removeIds } = await trimmer.append(trx, item.owner, item.id, item.text.join(''));
      await recordLogsStore.removePieces(trx, removeIds);
    }
    const progress = item.progress ? JSON.stringify(item.progress) : null;
    const store = item.owner === 'record' ? recordsStore : restoreRecordsStore;
    await store.noteActivity(trx, item.id, at, progress);
  }

  /** Puts a batch that could not be written before what came meanwhile. */
  function putBack(batch: ReadonlyMap<string, Pending>): void {
    for (const item of batch.values()) {
      const current = entry(item.owner, item.id);
      if (item.characters + current.characters <= MAX_BUFFERED) {
        current.text.unshift(...item.text);
        current.characters += item.characters;
      } else {
        current.text.unshift('… log lines were lost while the database could not be written …\n');
      }
      current.progress ??= item.progress;
    }
  }

  async function parentOf(item: Pending): Promise<number | null> {
    if (item.owner === 'record') return (await recordsStore.find(db, item.id))?.task_id ?? null;
    return (await restoreRecordsStore.find(db, item.id))?.record_id ?? null;
  }

  async function publishedOf(item: Pending): Promise<Published | null> {
    const key = keyOf(item.owner, item.id);
    const known = published.get(key);
    if (known) return known;
    const parentId = await parentOf(item);
    if (parentId === null) return null;
    if (published.size >= MAX_REMEMBERED) published.delete(published.keys().next().value ?? '');
    const state = { parentId, lastMs: Number.NEGATIVE_INFINITY };
    published.set(key, state);
    return state;
  }

  async function publish(item: Pending): Promise<void> {
    const { progress } = item;
    if (!progress) return;
    const state = await publishedOf(item);
    const nowMs = clock.monotonicMs();
    if (!state || nowMs - state.lastMs < PUBLISH_MS) return;
    state.lastMs = nowMs;
    if (item.owner === 'record') {
      bus.publish({ type: 'record_progress', recordId: item.id, taskId: state.parentId, progress });
    } else {
      bus.publish({ type: 'restore_progress', restoreRecordId: item.id, recordId: state.parentId, progress });
    }
  }

  async function writeBatch(): Promise<void> {
    if (pending.size === 0) return;
    const batch = pending;
    pending = new Map();
    const at = clock.now().toISOString();
    try {
      await db.transaction().execute(async (trx) => {
        for (const item of batch.values()) await writeOne(trx, item, at);
      });
      for (const item of batch.values()) await publish(item);
    } catch (error) {
      trimmer.forgetAll();
      putBack(batch);
      deps.onWriteError?.(error);
    }
    for (const key of batch.keys()) for (const wake of followers.get(key) ?? []) wake();
  }

  function flush(): Promise<void> {
    writing = writing.then(writeBatch);
    return writing;
  }

  return {
    appendLog(owner, id, text) {
      if (text === '') return;
      const item = entry(owner, id);
      item.text.push(text.endsWith('\n') ? text : `${text}\n`);
      item.characters += text.length + 1;
      // A flood must not wait in memory for the timer.
      if (item.characters > MAX_BUFFERED / 4) void flush();
    },
    progress(owner, id, progress) {
      entry(owner, id).progress = progress;
    },
    touch(owner, id) {
      entry(owner, id);
    },
    flush,
    follow(owner, id, wake) {
      const key = keyOf(owner, id);
      const set = followers.get(key) ?? new Set();
      followers.set(key, set.add(wake));
      return () => {
        set.delete(wake);
        if (set.size === 0) followers.delete(key);
      };
    },
  };
}
