import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from '../connect-test-runs.ts';

const HOUR_MS = 3_600_000;
let clock: FakeClock;
let test: TestRuns;

beforeEach(async () => {
  clock = createFakeClock(new Date('2026-05-01T00:30:00Z'));
  test = await createTestRuns({ clock });
});
afterEach(async () => {
  test.engine.hold = null;
  await test.http.close();
});

async function hourlyTask(more: object = {}): Promise<number> {
  const body = taskBody(await test.addTarget('disk'), { cronExpr: '0 * * * *', ...more });
  const { data } = await test.call('POST', '/backup/tasks', body);
  expect(data).toMatchObject({ nextRunAt: '2026-05-01T01:00:00.000Z' });
  return (data as { id: number }).id;
}

const records = () => test.db.selectFrom('records').selectAll().orderBy('id').execute();
const nextRun = async (id: number) =>
  (await test.db.selectFrom('tasks').select('next_run_at').where('id', '=', id).executeTakeFirstOrThrow()).next_run_at;

describe('due tasks', () => {
  it('start at their slot, once', async () => {
    const id = await hourlyTask();
    await clock.advance(HOUR_MS / 2 - 1);
    expect(await test.runs.dueTasks.tick()).toBe(0);
    await clock.advance(1);
    expect(await test.runs.dueTasks.tick()).toBe(1);
    expect(await test.runs.dueTasks.tick()).toBe(0);
    const [record] = await records();
    expect(record).toMatchObject({ trigger: 'schedule', slot_at: '2026-05-01T01:00:00.000Z' });
    expect(await nextRun(id)).toBe('2026-05-01T02:00:00.000Z');
  });

  it('make up once for all slots missed while the master was down', async () => {
    const id = await hourlyTask();
    await clock.advance(10 * HOUR_MS);
    expect(await test.runs.dueTasks.tick()).toBe(1);
    expect(await records()).toMatchObject([{ trigger: 'catch_up' }]);
    expect(await nextRun(id)).toBe('2026-05-01T11:00:00.000Z');
    expect(await test.runs.dueTasks.tick()).toBe(0);
  });

  it('skip a slot while the task is still running', async () => {
    const id = await hourlyTask();
    test.engine.hold = new Promise(() => undefined);
    await clock.advance(HOUR_MS / 2);
    await test.runs.dueTasks.tick();
    await clock.advance(HOUR_MS);
    expect(await test.runs.dueTasks.tick()).toBe(0);
    expect(await records()).toHaveLength(1);
    expect(await nextRun(id)).toBe('2026-05-01T03:00:00.000Z');
  });

  it('let two schedulers claim a slot only once', async () => {
    await hourlyTask();
    await clock.advance(HOUR_MS / 2);
    const counts = await Promise.all([test.runs.dueTasks.tick(), test.runs.dueTasks.tick()]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1);
    expect(await records()).toHaveLength(1);
  });

  it('wait for a remote node that is offline', async () => {
    await hourlyTask({ nodeId: test.remoteNodeId });
    test.fleet.remote = { ...test.fleet.remote, isOnline: false };
    await clock.advance(HOUR_MS / 2);
    expect(await test.runs.dueTasks.tick()).toBe(1);
    expect(await records()).toMatchObject([{ status: 'running', node_id: test.remoteNodeId }]);
    expect(test.fleet.commands).toHaveLength(1);
  });

  it('leave a failed record when they cannot start at all', async () => {
    const id = await hourlyTask({ nodeId: test.remoteNodeId });
    test.fleet.remote = { ...test.fleet.remote, sourceTypes: ['mysql'] };
    await clock.advance(HOUR_MS / 2);
    expect(await test.runs.dueTasks.tick()).toBe(0);
    expect(await records()).toMatchObject([
      { status: 'failed', error_code: 'NOT_SUPPORTED', slot_at: '2026-05-01T01:00:00.000Z' },
    ]);
    expect(await nextRun(id)).toBe('2026-05-01T02:00:00.000Z');
  });

  it('do nothing while switched off, and count from now when switched on again', async () => {
    const id = await hourlyTask();
    await test.call('PUT', `/backup/tasks/${id}/toggle`, { enabled: false });
    await clock.advance(5 * HOUR_MS);
    expect(await test.runs.dueTasks.tick()).toBe(0);
    await test.call('PUT', `/backup/tasks/${id}/toggle`);
    expect(await nextRun(id)).toBe('2026-05-01T06:00:00.000Z');
  });

  it('follow the zone of the installation when it is changed', async () => {
    const body = taskBody(await test.addTarget('disk'), { cronExpr: '0 3 * * *' });
    const { id } = (await test.call('POST', '/backup/tasks', body)).data as { id: number };
    await test.runs.dueTasks.tick();
    expect(await nextRun(id)).toBe('2026-05-01T03:00:00.000Z');
    test.timezone = 'Asia/Kathmandu';
    await test.runs.dueTasks.tick();
    expect(await nextRun(id)).toBe('2026-05-01T21:15:00.000Z');
  });

  it('run from the loop', async () => {
    await hourlyTask();
    test.runs.dueTasks.start();
    await clock.advance(HOUR_MS / 2 + 5000);
    await expect.poll(async () => (await records()).length).toBe(1);
    await test.runs.dueTasks.stop();
  });
});
