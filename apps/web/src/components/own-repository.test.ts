import { expect, test } from 'vitest';
import type { Repository, Task } from '../api/types.ts';
import { ownRepository, repositoryOfTask } from './own-repository.ts';

const repository = (id: number, more: Partial<Repository>) =>
  ({ id, nodeId: 1, storageTargetId: 7, isAdopted: false, ...more }) as Repository;
const task = (more: Partial<Task>) => ({ nodeId: 1, repositoryId: 0, storageTargetIds: [7, 8], ...more }) as Task;

test('is the oldest of the server on the storage that was not taken in', () => {
  const all = [
    repository(5, {}),
    repository(2, { isAdopted: true }),
    repository(3, {}),
    repository(1, { nodeId: 2 }),
    repository(4, { storageTargetId: 8 }),
  ];
  expect(ownRepository(all, 1, 7)?.id).toBe(3);
  expect(ownRepository(all, 1, 8)?.id).toBe(4);
  expect(ownRepository(all, 3, 7)).toBeUndefined();
  expect(repositoryOfTask(all, task({}))?.id).toBe(3);
  expect(repositoryOfTask(all, task({ storageTargetIds: [8] }))?.id).toBe(4);
});

test('gives way to the one that the task names', () => {
  const all = [repository(1, {}), repository(9, { isAdopted: true, storageTargetId: 8 })];
  expect(repositoryOfTask(all, task({ repositoryId: 9 }))?.id).toBe(9);
  expect(repositoryOfTask(all, task({ repositoryId: 10 }))).toBeUndefined();
});
