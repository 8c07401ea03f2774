import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestRuns, type TestRuns } from '../../connect-test-runs.ts';
import { createArrivalNote, createRepositoryDirectory, hashGatewayToken } from './repository-directory.ts';

let test: TestRuns;
beforeEach(async () => {
  test = await createTestRuns();
});
afterEach(() => test.close());

it('what a foreign client stores is counted, since no run of ours does it', async () => {
  const storageTargetId = await test.addTarget('disk');
  const { data } = await test.call('POST', '/repositories', { storageTargetId });
  const { id } = (data as { repository: { id: number } }).repository;
  const changed: number[] = [];
  const note = createArrivalNote({ db: test.db, now: () => new Date(0), changed: (one) => changed.push(one) });
  const arrive = (type: string, sizeBytes: number, caller = `repository-${id}`) =>
    note({ repositoryId: id, type, name: 'a'.repeat(64), sizeBytes, caller });
  const stored = async () =>
    (await test.db.selectFrom('repositories').select('stored_bytes').executeTakeFirst())?.stored_bytes;

  await arrive('locks', 1);
  await arrive('data', 1000);
  await arrive('data', 500, 'web-1');
  await arrive('index', 20);
  expect(await stored()).toBe(1020);
  await arrive('index', 20, 'web-1');
  await arrive('snapshots', 3);
  expect(await stored()).toBe(1023);
  expect(changed).toEqual([id]);
});

it('a target that cannot be read is an error, only one that is gone is refused', async () => {
  const storageTargetId = await test.addTarget('disk');
  const { data } = await test.call('POST', '/repositories', { storageTargetId });
  const { id } = (data as { repository: { id: number } }).repository;
  await test.db.updateTable('repositories').set({ state: 'ready' }).execute();
  const token = 'a token of its own';
  await test.db
    .updateTable('repositories')
    .set({ gateway_token_hash: hashGatewayToken(token) })
    .execute();
  const find = async (failure: Error) =>
    await createRepositoryDirectory({
      db: test.db,
      tokens: { owner: async () => null },
      openTarget: async () => await Promise.reject(failure),
    }).find(String(id), { username: null, token });
  const gone = new AppError('STORAGE_TARGET_NOT_FOUND');
  expect(await find(gone)).toEqual({ kind: 'foreign', caller: `repository-${id}` });
  await expect(find(new Error('database is locked'))).rejects.toThrow('database is locked');
});
