import { type Task, taskRoutes } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import type { ApiClient } from './api-client.ts';

/** The task with this id or exact name. Throws `BACKUP_TASK_NOT_FOUND`. */
export async function findTask(client: ApiClient, reference: string): Promise<Task> {
  if (/^\d+$/.test(reference)) return client.call(taskRoutes.get, { params: { id: Number(reference) } });
  const found = (await listTasks(client, reference)).find((task) => task.name === reference);
  if (found) return found;
  throw new AppError('BACKUP_TASK_NOT_FOUND');
}

/** Every task, fetched page by page; `q` narrows. */
export async function listTasks(client: ApiClient, q?: string): Promise<Task[]> {
  const pageSize = 100;
  const tasks: Task[] = [];
  for (let page = 1; ; page++) {
    const { items } = await client.call(taskRoutes.list, { query: { page, pageSize, q } });
    tasks.push(...items);
    if (items.length < pageSize) return tasks;
  }
}
