import type { Kysely } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from '../../connect-test-runs.ts';
import type { Tables } from '../../database/tables.ts';

let test: TestRuns;
beforeEach(async () => {
  test = await createTestRuns();
});
afterEach(() => test.close());

interface Overview {
  totalTasks: number;
  protectedTasks: number;
  exceptions: { taskName: string; reason: string }[];
  tasks: { name: string; isProtected: boolean; strip: unknown[] }[];
  running: unknown[];
  recentFailures: { taskName: string }[];
  nodes: { total: number; online: number };
  repositories: { neglected: { id: number; work: string; reason: string; maintenanceRecordId: number | null }[] };
  storedBytes: number;
}

async function addTask(name: string, more: object = {}): Promise<number> {
  const targetId = await test.addTarget(`disk of ${name}`);
  return ((await test.call('POST', '/backup/tasks', taskBody(targetId, { name, ...more }))).data as { id: number }).id;
}

async function runToEnd(taskId: number): Promise<void> {
  const { data } = await test.call('POST', `/backup/tasks/${taskId}/run`);
  await test.ended((data as { id: number }).id);
}

const overview = async () => (await test.call('GET', '/dashboard/overview')).data as Overview;

/** Statements that `action` sends to the database. */
async function countStatements(action: () => Promise<unknown>): Promise<number> {
  const executor = (test.db as Kysely<Tables>).getExecutor();
  const original = executor.executeQuery.bind(executor);
  let count = 0;
  executor.executeQuery = (...input) => {
    count += 1;
    return original(...input);
  };
  await action();
  executor.executeQuery = original;
  return count;
}

it('counts what is protected against the total and names the exceptions, worst first', async () => {
  await runToEnd(await addTask('good'));
  const bad = await addTask('bad');
  test.engine.failure = new Error('broken');
  await runToEnd(bad);
  test.engine.failure = null;
  await addTask('new');
  await addTask('off', { enabled: false });
  const answer = await overview();
  expect(answer).toMatchObject({ totalTasks: 4, protectedTasks: 1, nodes: { total: 2, online: 2 }, running: [] });
  expect(answer.exceptions.map((entry) => [entry.taskName, entry.reason])).toEqual([
    ['bad', 'failed'],
    ['new', 'never_ran'],
    ['off', 'disabled'],
  ]);
  expect(answer.recentFailures).toMatchObject([{ taskName: 'bad' }]);
  expect(answer.tasks[0]).toMatchObject({ name: 'good', isProtected: true });
  expect(answer.storedBytes).toBeGreaterThan(0);
  expect((await test.call('GET', '/dashboard/stats')).data).toMatchObject({
    totalTasks: 4,
    enabledTasks: 3,
    totalRecords: 2,
    successRate: 0.5,
    runningTasks: 0,
  });
});

it('tells of repositories whose checks and clean-ups do not happen', async () => {
  await runToEnd(await addTask('deduplicated', { backupMode: 'repository' }));
  const neglected = async () => (await overview()).repositories.neglected;
  expect(await neglected()).toEqual([]);
  const { id } = await test.db.selectFrom('repositories').select('id').executeTakeFirstOrThrow();
  test.engine.failure = new Error('broken');
  const { data } = await test.call('POST', `/repositories/${id}/check`, {});
  const recordId = (data as { id: number }).id;
  await expect.poll(neglected).toMatchObject([{ id, work: 'check', reason: 'failed', maintenanceRecordId: recordId }]);
  test.engine.failure = null;
  await test.db.updateTable('repositories').set({ next_prune_at: '2020-01-01T00:00:00.000Z' }).execute();
  expect((await neglected())[1]).toMatchObject({ id, work: 'cleanup', reason: 'overdue' });
});

it('needs the same number of statements for one task and for thirty', async () => {
  await addTask('first');
  const few = await countStatements(overview);
  for (let index = 0; index < 29; index += 1) await addTask(`task ${index}`);
  expect(await countStatements(overview)).toBe(few);
  expect(few).toBeGreaterThan(3);
  expect(few).toBeLessThan(16);
});
