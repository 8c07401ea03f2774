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
import { runStores } from '../stores/run-stores.ts';
import { createLogTrimmer, type LogCaps } from './log-trimmer.ts';
import type { Db, RecordOwner, RecordReporter } from './ports.ts';
import { createPublishProgress } from './publish-progress.ts';
import { createRunFollowers, type RunFollowers } from './run-followers.ts';

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
  readonly follow: RunFollowers['follow'];
}

const FLUSH_MS = 250;
/** Characters held per run while the database refuses writes; beyond it the middle is dropped. */
const MAX_BUFFERED = 4 * 1024 * 1024;

interface Pending {
  readonly owner: RecordOwner;
  readonly id: number;
  text: string[];
  characters: number;
  /** Number of the last log piece of an agent in `text`; 0: none. */
  sequence: number;
  progress: JobProgress | null;
}

export function createRecordReporter(deps: RecordReporterDeps): LiveRecordReporter {
  const { db, clock } = deps;
  const trimmer = createLogTrimmer(deps.caps);
  const followers = createRunFollowers();
  const publish = createPublishProgress(deps);
  let pending = new Map<string, Pending>();
  let isScheduled = false;
  let writing: Promise<void> = Promise.resolve();

  const keyOf = (owner: RecordOwner, id: number) => `${owner}:${id}`;

  function entry(owner: RecordOwner, id: number): Pending {
    const key = keyOf(owner, id);
    let found = pending.get(key);
    if (!found) {
      found = { owner, id, text: [], characters: 0, sequence: 0, progress: null };
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
    await runStores[item.owner].noteActivity(trx, item.id, { at, progress, logSequence: item.sequence });
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
      current.sequence = Math.max(current.sequence, item.sequence);
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
      for (const item of batch.values()) if (item.progress) await publish(item.owner, item.id, item.progress);
    } catch (error) {
      trimmer.forgetAll();
      putBack(batch);
      deps.onWriteError?.(error);
    }
    for (const item of batch.values()) followers.wake(item.owner, item.id);
  }

  function flush(): Promise<void> {
    writing = writing.then(writeBatch);
    return writing;
  }

  return {
    appendLog(owner, id, text, sequence = 0) {
      if (text === '') return;
      const item = entry(owner, id);
      item.text.push(text.endsWith('\n') ? text : `${text}\n`);
      item.characters += text.length + 1;
      item.sequence = Math.max(item.sequence, sequence);
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
    follow: followers.follow,
  };
}
