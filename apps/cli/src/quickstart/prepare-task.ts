/** Finds or makes what a first backup needs: a storage target on this disk and a task for the folder. */
import { basename, join, relative, sep } from 'node:path';
import { type StorageTarget, storageTargetRoutes } from '@backupx/contracts/api/storage-targets';
import { type Task, taskRoutes } from '@backupx/contracts/api/tasks';
import type { ApiClient } from '../api/api-client.ts';
import { listTasks } from '../api/find-task.ts';

const targetName = 'Local disk';

export interface PreparedTask {
  readonly task: Task;
  readonly target: StorageTarget;
  readonly isNew: boolean;
}

/** `folder` and `dataDir` are absolute. */
export async function prepareTask(client: ApiClient, folder: string, dataDir: string): Promise<PreparedTask> {
  const target = await findOrCreateTarget(client, join(dataDir, 'storage'));
  const known = await listTasks(client);
  const same = known.find((task) => task.type === 'file' && sourcesOf(task).join('\n') === folder && task.enabled);
  if (same) return { task: same, target, isNew: false };
  const names = new Set(known.map((task) => task.name.toLowerCase()));
  const task = await client.call(taskRoutes.create, {
    body: {
      name: freeName(basename(folder) || 'root', names),
      type: 'file',
      sourcePaths: [folder],
      excludePatterns: ownDataPatterns(folder, dataDir),
      storageTargetIds: [target.id],
      compression: 'zstd',
      encrypt: true,
      cronExpr: '0 2 * * *',
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
      retentionDays: 7,
      keepDaily: 7,
      keepWeekly: 4,
      keepMonthly: 6,
    },
  });
  return { task, target, isNew: true };
}

async function findOrCreateTarget(client: ApiClient, basePath: string): Promise<StorageTarget> {
  const answer = await client.call(storageTargetRoutes.list);
  const targets = Array.isArray(answer) ? answer : answer.items;
  const same = targets.find((target) => target.type === 'local_disk' && target.config.basePath === basePath);
  if (same) return same;
  const names = new Set(targets.map((target) => target.name.toLowerCase()));
  const body = { name: freeName(targetName, names), type: 'local_disk', config: { basePath } };
  return client.call(storageTargetRoutes.create, { body });
}

function sourcesOf(task: Task): string[] {
  return task.sourcePaths.length > 0 ? task.sourcePaths : [task.sourcePath];
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted} ${count}`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

/** Our own database and artifacts are left out when they lie below the folder; patterns are relative to it. */
export function ownDataPatterns(folder: string, dataDir: string): string[] {
  const path = relative(folder, dataDir);
  if (path === '' || path === '..' || path.startsWith(`..${sep}`)) return [];
  return [`/${path.replace(/[\\*?[\]!# ]/g, '\\$&')}/`];
}
