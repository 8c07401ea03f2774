/** Work on repositories where several of them, or several kinds of work, meet. The engine is in memory. */
import type { MaintenanceRecord } from '@backupx/contracts/api/maintenance';
import type { Repository } from '@backupx/contracts/api/repositories';
import { AppError } from '@backupx/contracts/errors';
import { createFakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from '../../connect-test-runs.ts';

let test: TestRuns;
let taskId: number;
let repositoryId: number;

beforeEach(async () => {
  test = await createTestRuns({ clock: createFakeClock() });
  test.engine.answers.set('list_snapshots', { snapshots: [] });
  const targetId = await test.addTarget('disk');
  const body = taskBody(targetId, { backupMode: 'repository' });
  taskId = ((await test.call('POST', '/backup/tasks', body)).data as { id: number }).id;
  repositoryId = (await runTask()).repository_id;
});
afterEach(() => test.close());

async function begin(): Promise<number> {
  return ((await test.call('POST', `/backup/tasks/${taskId}/run`)).data as { id: number }).id;
}
async function runTask() {
  const id = await begin();
  await test.ended(id);
  return await test.db.selectFrom('records').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}
async function ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T & { code?: string }> {
  return (await test.call(method, path, body)).data;
}
const repository = (id: number) => ask<Repository>('GET', `/repositories/${id}`);

async function ended(id: number): Promise<MaintenanceRecord> {
  let record = await ask<MaintenanceRecord>('GET', `/maintenance/records/${id}`);
  await expect
    .poll(async () => {
      record = await ask<MaintenanceRecord>('GET', `/maintenance/records/${id}`);
      return record.status;
    })
    .not.toBe('running');
  return record;
}

it('a copy that meets damage leaves it to checks to say on which side it is', async () => {
  const targetId = await test.addTarget('other', { basePath: '/other' });
  const { repository: other } = await ask<{ repository: Repository }>('POST', '/repositories', {
    storageTargetId: targetId,
  });
  test.engine.answers.set('copy_snapshots', () => {
    throw new AppError('REPOSITORY_DAMAGED', { reason: 'no' });
  });
  const { id } = await ask<{ id: number }>('POST', `/repositories/${repositoryId}/copy`, { toRepositoryId: other.id });
  expect(await ended(id)).toMatchObject({ status: 'failed', errorCode: 'REPOSITORY_DAMAGED' });
  for (const one of [repositoryId, other.id]) {
    const { state, nextCheckAt, createdAt } = await repository(one);
    expect({ state, isSoon: (nextCheckAt ?? '') <= createdAt }).toEqual({ state: 'ok', isSoon: true });
  }
});

it('a repair that only says what it would do brings no check forward', async () => {
  const { nextCheckAt } = await repository(repositoryId);
  test.engine.answers.set('repair_repository', { changes: [], newSnapshotIds: [] });
  const repair = async (dryRun: boolean) => {
    const { id } = await ask<{ id: number }>('POST', `/repositories/${repositoryId}/repair`, { what: 'index', dryRun });
    expect((await ended(id)).status).toBe('success');
    return (await repository(repositoryId)).nextCheckAt;
  };
  expect(await repair(true)).toBe(nextCheckAt);
  expect(await repair(false)).not.toBe(nextCheckAt);
});

/** Work that begins from now on waits until the answered function is called. */
function hold(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  test.engine.hold = promise;
  return resolve;
}
const forget = (dryRun: boolean) =>
  ask<{ id: number }>('POST', `/repositories/${repositoryId}/forget`, { policy: { last: 1 }, dryRun });

it('snapshots are not forgotten while a backup may have saved one that its record does not name yet', async () => {
  test.engine.answers.set('forget_snapshots', { removed: [], kept: [] });
  const goOn = hold();
  const recordId = await begin();
  expect((await forget(false)).code).toBe('REPOSITORY_LOCKED');
  const dry = await forget(true);
  goOn();
  await test.ended(recordId);
  expect((await ended(dry.id)).status).toBe('success');
  expect((await ended((await forget(false)).id)).status).toBe('success');
});

it('nor when that backup began while the forgetting waited its turn', async () => {
  const targetId = await test.addTarget('other', { basePath: '/other' });
  const other = await ask<{ repository: Repository }>('POST', '/repositories', { storageTargetId: targetId });
  const endCheck = hold();
  await ask('POST', `/repositories/${other.repository.id}/check`, {});
  // Otherwise it would be the second one that holds it.
  await expect.poll(() => test.engine.jobs.some((job) => job.kind === 'check_repository')).toBe(true);
  const { id } = await forget(false);
  const endBackup = hold();
  const recordId = await begin();
  endCheck();
  expect(await ended(id)).toMatchObject({ status: 'failed', errorCode: 'REPOSITORY_LOCKED' });
  endBackup();
  expect((await test.ended(recordId)).status).toBe('success');
});

it('a repository is not taken in a second time through another storage target', async () => {
  const { prefix } = await repository(repositoryId);
  const storageTargetId = await test.addTarget('the same disk', { basePath: '/backup/repositories/' });
  const adopt = (folder: string) =>
    ask('POST', '/repositories/adopt', { storageTargetId, prefix: folder, password: 'x' });
  expect((await adopt(prefix.replace('repositories/', ''))).code).toBe('REPOSITORY_EXISTS');
  expect((await adopt('elsewhere')).code).toBeUndefined();
});

it('nothing begins beside maintenance that may go on out of sight', async () => {
  test.engine.answers.set('check_repository', () => {
    throw new AppError('REPOSITORY_LOCKED', { holder: 'somebody' });
  });
  const check = () => ask<{ id: number }>('POST', `/repositories/${repositoryId}/check`, {});
  const { id } = await check();
  await ended(id);
  const setEnd = (ended_at: string | null) =>
    test.db.updateTable('repository_leases').set({ ended_at }).where('owner', '=', 'maintenance').execute();
  await setEnd(null);
  expect(await check()).toMatchObject({ code: 'REPOSITORY_LOCKED', message: expect.stringContaining(`${id}`) });
  await setEnd('2026-01-01T00:00:00.000Z');
  expect((await check()).code).toBeUndefined();
});

it('work that a clock in a wrong year put off is due', async () => {
  const later = '2031-01-01T00:00:00.000Z';
  await test.db.updateTable('repositories').set({ next_check_at: later, next_prune_at: later }).execute();
  expect(await test.runs.dueMaintenance.tick()).toBe(1);
  await expect.poll(() => test.engine.jobs.some((job) => job.kind === 'check_repository')).toBe(true);
});
