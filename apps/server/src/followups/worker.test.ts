import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenDatabase } from '../database/open-database.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { silentLog } from '../dispatch/dispatch-log.ts';
import { queuedFollowups } from '../dispatch/record-lifecycle.ts';
import { followupsStore } from '../stores/followups.store.ts';
import { followups } from './index.ts';
import { createFollowupWorker, retryDelayMs } from './worker.ts';

let clock: FakeClock;
let database: OpenDatabase;
beforeEach(async () => {
  clock = createFakeClock();
  database = await createTestDatabase();
});
afterEach(() => database.close());

const deps = () => ({
  db: database.db,
  clock,
  log: silentLog,
  dispatcher: { removeRecord: async () => undefined, continueRestore: async () => undefined },
});
const queue = (name: string, payload: unknown = {}) =>
  followupsStore.queue(database.db, { name, payload, now: clock.now().toISOString() });
const states = async () => (await followupsStore.list(database.db)).map((row) => row.state);

it('every name that dispatch queues is known', () => {
  expect(Object.keys(followups).toSorted()).toEqual([...queuedFollowups].toSorted());
});

describe('the worker', () => {
  it('runs what is queued, in order, with its payload', async () => {
    const seen: unknown[] = [];
    const worker = createFollowupWorker(deps(), { note: async (_deps, payload) => void seen.push(payload) });
    await queue('note', { id: 1 });
    await queue('note', { id: 2 });
    expect(await worker.drain()).toBe(2);
    expect(seen).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await states()).toEqual(['done', 'done']);
  });

  it('tries again later, and the others do not wait for it', async () => {
    let failures = 2;
    const worker = createFollowupWorker(deps(), {
      flaky: async () => {
        if (failures-- > 0) throw new Error('not now');
      },
      fine: async () => undefined,
    });
    await queue('flaky');
    await queue('fine');
    await worker.drain();
    expect(await states()).toEqual(['pending', 'done']);
    expect(await worker.drain()).toBe(0);
    await clock.advance(retryDelayMs(1));
    await worker.drain();
    expect((await followupsStore.list(database.db))[0]).toMatchObject({ attempts: 2, last_error: 'not now' });
    await clock.advance(retryDelayMs(2));
    await worker.drain();
    expect(await states()).toEqual(['done', 'done']);
  });

  it('gives up a name nobody knows and keeps why', async () => {
    const worker = createFollowupWorker(deps(), {});
    await queue('gone');
    await worker.drain();
    expect((await followupsStore.list(database.db))[0]).toMatchObject({
      state: 'failed',
      last_error: 'there is no follow-up named gone',
    });
  });

  it('takes up at the start what a killed process had claimed', async () => {
    await queue('note');
    const now = clock.now().toISOString();
    await followupsStore.claim(database.db, now, new Date(clock.now().getTime() + 600_000).toISOString());
    const ran: unknown[] = [];
    const worker = createFollowupWorker(deps(), { note: async (_deps, payload) => void ran.push(payload) });
    expect(await worker.drain()).toBe(0);
    await worker.start();
    await expect.poll(() => ran.length).toBe(1);
    await worker.stop();
  });

  it('two workers never run the same row', async () => {
    for (let index = 0; index < 20; index += 1) await queue('note', { index });
    const seen: unknown[] = [];
    const known = { note: async (_deps: unknown, payload: unknown) => void seen.push(payload) };
    await Promise.all([createFollowupWorker(deps(), known).drain(), createFollowupWorker(deps(), known).drain()]);
    expect(seen).toHaveLength(20);
  });

  it('wakes at once when told', async () => {
    const ran: unknown[] = [];
    const worker = createFollowupWorker(deps(), { note: async (_deps, payload) => void ran.push(payload) });
    await worker.start();
    await queue('note');
    worker.wake();
    await expect.poll(() => ran.length).toBe(1);
    await worker.stop();
  });
});

it('waits grow and stay below an hour', () => {
  expect([1, 2, 3, 30].map(retryDelayMs)).toEqual([10_000, 20_000, 40_000, 3_600_000]);
});
