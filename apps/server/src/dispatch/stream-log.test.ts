import type { RecordLogEvent } from '@backupx/contracts/events';
import { systemClock } from '@backupx/engine/ports/clock';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from '../connect-test-runs.ts';
import { streamLog } from './stream-log.ts';

let test: TestRuns;
beforeEach(async () => {
  test = await createTestRuns();
});
afterEach(() => test.close());

async function startHeldRun(): Promise<{ id: number; release: () => void }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  test.engine.hold = promise;
  const body = taskBody(await test.addTarget('disk'));
  const task = (await test.call('POST', '/backup/tasks', body)).data as { id: number };
  const { id } = (await test.call('POST', `/backup/tasks/${task.id}/run`)).data as { id: number };
  return { id, release: resolve };
}

function follow(id: number, offset = 0) {
  const events: RecordLogEvent[] = [];
  const gone = new AbortController();
  const deps = { db: test.db, clock: systemClock, reporter: test.ends.reporter };
  const done = streamLog(
    deps,
    { owner: 'record', id },
    {
      offset,
      signal: gone.signal,
      send: (event) => events.push(event) > 0,
    },
  );
  const text = () => events.map((event) => (event.type === 'log' ? event.text : '')).join('');
  return { events, text, done, gone };
}

it('follows a run while it writes, without a gap or a repetition, until its end', async () => {
  const { id, release } = await startHeldRun();
  const listener = follow(id);
  await expect.poll(listener.text).toContain('running run_backup');
  for (const line of ['one', 'two', 'three']) {
    test.ends.reporter.appendLog('record', id, line);
    await expect.poll(listener.text).toContain(line);
  }
  release();
  await listener.done;
  expect(listener.events.at(-1)).toMatchObject({ type: 'end', status: 'success' });
  expect(listener.text()).toMatch(/running run_backup\none\ntwo\nthree\n\S+ INFO Ended: success\.\n$/);
  let offset = 0;
  for (const event of listener.events) {
    if (event.type !== 'log') continue;
    expect(event.offset).toBe(offset);
    offset += event.text.length;
  }
});

it('goes on where a broken connection stopped', async () => {
  const { id, release } = await startHeldRun();
  const first = follow(id);
  await expect.poll(first.text).toContain('running');
  first.gone.abort();
  await first.done;
  release();
  await test.ended(id);
  const second = follow(id, first.text().length);
  await second.done;
  const whole = follow(id);
  await whole.done;
  expect(first.text() + second.text()).toBe(whole.text());
});

it('ends at once when the listener no longer takes anything', async () => {
  const { id } = await startHeldRun();
  const deps = { db: test.db, clock: systemClock, reporter: test.ends.reporter };
  await test.ends.reporter.flush();
  const signal = new AbortController().signal;
  await streamLog(deps, { owner: 'record', id }, { offset: 0, signal, send: () => false });
});
