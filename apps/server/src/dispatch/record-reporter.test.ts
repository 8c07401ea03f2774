import { systemClock } from '@backupx/engine/ports/clock';
import { createFakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenDatabase } from '../database/open-database.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { createEventBus } from '../event-bus.ts';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import type { LogCaps } from './log-trimmer.ts';
import { createRecordReporter } from './record-reporter.ts';

let database: OpenDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.close());

const progress = {
  phase: 'running',
  itemsDone: 1,
  itemsTotal: null,
  bytesDone: 1,
  bytesTotal: null,
  bytesStored: 0,
  bytesPerSecond: 0,
  etaSeconds: null,
  percent: null,
  currentItem: null,
  problemCount: 0,
} as const;

async function insertRecord(): Promise<number> {
  const text = { key_prefix: '', base_name: '', file_name: '', checksum: '', storage_path: '', contents_path: '' };
  const counts = { file_size: 0, storage_target_id: 0, source_bytes: 0, item_count: 0, problem_count: 0 };
  const row = await database.db
    .insertInto('records')
    .values({
      ...text,
      ...counts,
      task_id: 7,
      task_name: 'a',
      task_type: 'file',
      node_id: 1,
      status: 'running',
      trigger: 'manual',
      backup_kind: 'full',
      source_sealed: '',
      compression: 'none',
      encrypted: 0,
      repository_id: 0,
      snapshot: '',
      targets: '[]',
      problems: '[]',
      error_message: '',
      error_code: '',
      error_params: '{}',
      locked: 0,
      cancel_requested: 0,
      progress: '',
      last_activity_at: '',
      slot_at: null,
      log_sequence: 0,
      started_at: '2026-01-01T00:00:00.000Z',
      completed_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

function reporterWith(caps?: LogCaps) {
  const bus = createEventBus();
  return {
    bus,
    reporter: createRecordReporter({ db: database.db, clock: systemClock, bus, ...(caps ? { caps } : {}) }),
  };
}
const logOf = (id: number) => recordLogsStore.readEnd(database.db, 'record', id, 1_000_000);

describe('the record reporter', () => {
  it('writes lines of one moment as one piece, in order, soon and by itself', async () => {
    const id = await insertRecord();
    const { reporter } = reporterWith();
    for (let line = 0; line < 100; line += 1) reporter.appendLog('record', id, `line ${line}`);
    expect(await logOf(id)).toBe('');
    await expect.poll(() => logOf(id), { timeout: 2000 }).toMatch(/^line 0\nline 1\n(line \d+\n)+line 99\n$/);
    expect(await recordLogsStore.lengths(database.db, 'record', id)).toHaveLength(1);
  });

  it('keeps head and tail of a long log, with a marker between them, also across a restart', async () => {
    const id = await insertRecord();
    const caps = { head: 100, tail: 60 };
    for (let life = 0; life < 4; life += 1) {
      const { reporter } = reporterWith(caps);
      for (let line = 0; line < 10; line += 1) {
        reporter.appendLog('record', id, `life ${life} line ${line}`);
        await reporter.flush();
      }
    }
    const log = await logOf(id);
    expect(log).toMatch(/^life 0 line 0\n/);
    expect(log.match(/lines are missing here/g)).toHaveLength(1);
    expect(log).toMatch(/life 3 line 7\nlife 3 line 8\nlife 3 line 9\n$/);
    expect(log.length).toBeLessThan(100 + 60 + 100);
  });

  it('publishes progress at most twice a second and stores the last', async () => {
    const id = await insertRecord();
    const clock = createFakeClock();
    const bus = createEventBus();
    const reporter = createRecordReporter({ db: database.db, clock, bus });
    for (let step = 0; step < 10; step += 1) {
      reporter.progress('record', id, { ...progress, itemsDone: step });
      await reporter.flush();
      await clock.advance(100);
    }
    const events = bus.since(0)?.map(({ event }) => event) ?? [];
    expect(events).toMatchObject([
      { type: 'record_progress', recordId: id, taskId: 7, progress: { itemsDone: 0 } },
      { type: 'record_progress', progress: { itemsDone: 5 } },
    ]);
    const row = await database.db.selectFrom('records').select('progress').where('id', '=', id).executeTakeFirst();
    expect(JSON.parse(row?.progress ?? '')).toMatchObject({ itemsDone: 9 });
  });

  it('keeps what could not be written and writes it later', async () => {
    const id = await insertRecord();
    const errors: unknown[] = [];
    const options = { db: database.db, clock: systemClock, bus: createEventBus() };
    const reporter = createRecordReporter({ ...options, onWriteError: (error) => errors.push(error) });
    await database.db.schema.alterTable('record_logs').renameTo('hidden').execute();
    reporter.appendLog('record', id, 'first');
    await reporter.flush();
    expect(errors).toHaveLength(1);
    await database.db.schema.alterTable('hidden').renameTo('record_logs').execute();
    reporter.appendLog('record', id, 'second');
    await reporter.flush();
    expect(await logOf(id)).toBe('first\nsecond\n');
  });

  it('wakes followers of the run, and of no other', async () => {
    const id = await insertRecord();
    const { reporter } = reporterWith();
    const woken: string[] = [];
    const stop = reporter.follow('record', id, () => woken.push('this'));
    reporter.follow('restore', id, () => woken.push('other'));
    reporter.touch('record', id);
    await reporter.flush();
    stop();
    reporter.touch('record', id);
    await reporter.flush();
    expect(woken).toEqual(['this']);
  });
});
