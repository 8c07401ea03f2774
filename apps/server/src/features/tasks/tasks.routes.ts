/** Tasks: what is backed up, when and to where. */

import type { Task } from '@backupx/contracts/api/tasks';
import { taskRoutes } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import { recordAnswer } from '../../dispatch/record-answer.ts';
import { type TaskAnswerDeps, taskAnswers } from '../../dispatch/task-answer.ts';
import type { EventBus } from '../../event-bus.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { previewRuns } from '../../scheduling/schedule-clock.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { tasksStore } from '../../stores/tasks.store.ts';
import { createTask, type SaveTaskDeps, toggleTask, updateTask } from './save-task.ts';

export interface TasksFeatureDeps extends SaveTaskDeps, TaskAnswerDeps {
  readonly bus: EventBus;
  readonly dispatcher: Pick<Dispatcher, 'startTask'>;
}

const DEFAULT_PAGE_SIZE = 50;

export function tasksRoutes(deps: TasksFeatureDeps): BoundRoute[] {
  const { db, bus, clock } = deps;

  async function answer(id: number): Promise<Task> {
    const [task] = await taskAnswers(deps, [await tasksStore.get(db, id)]);
    if (!task) throw new AppError('BACKUP_TASK_NOT_FOUND');
    return task;
  }

  async function changed(id: number): Promise<Task> {
    bus.publish({ type: 'task_changed', taskId: id });
    return await answer(id);
  }

  return [
    bind(taskRoutes.list, async ({ query }) => {
      const limit = query.pageSize ?? DEFAULT_PAGE_SIZE;
      const page = { sort: query.sort, limit, offset: ((query.page ?? 1) - 1) * limit };
      const { items, total } = await tasksStore.list(db, query, page);
      return { items: await taskAnswers(deps, items), total };
    }),
    bind(taskRoutes.get, ({ params }) => answer(params.id)),
    bind(taskRoutes.tags, () => tasksStore.tags(db)),
    bind(taskRoutes.create, async ({ body, audit }) => {
      audit({ target: body.name });
      return await changed(await createTask(deps, body));
    }),
    bind(taskRoutes.update, async ({ params, body, audit }) => {
      audit({ target: body.name });
      await updateTask(deps, params.id, body);
      return await changed(params.id);
    }),
    bind(taskRoutes.remove, async ({ params, audit }) => {
      const task = await tasksStore.get(db, params.id);
      audit({ target: task.name });
      await db.transaction().execute(async (trx) => {
        const recordId = await recordsStore.runningIdOfTask(trx, params.id);
        if (recordId !== undefined) throw new AppError('BACKUP_TASK_RUNNING', { name: task.name, recordId });
        await tasksStore.softDelete(trx, params.id, clock.now().toISOString());
      });
      bus.publish({ type: 'task_changed', taskId: params.id });
      return { status: 'ok' } as const;
    }),
    bind(taskRoutes.toggle, async ({ params, body, audit }) => {
      await toggleTask(deps, params.id, body?.enabled);
      const task = await changed(params.id);
      audit({ target: task.name, detail: task.enabled ? 'on' : 'off' });
      return task;
    }),
    bind(taskRoutes.run, async ({ params, audit }) => {
      const recordId = await deps.dispatcher.startTask(params.id, { trigger: 'manual' });
      if (recordId === null) throw new AppError('CONFLICT');
      const view = await recordsStore.view(db, recordId);
      audit({ target: view.task_name, detail: `record ${recordId}` });
      return recordAnswer(view, '', clock.now());
    }),
    bind(taskRoutes.previewSchedule, async ({ body }) => {
      const timezone = body.timezone || (await deps.defaultTimezone());
      const runs = previewRuns({ cronExpr: body.cronExpr.trim(), timezone }, clock.now(), body.count);
      return { timezone, runs: runs.map((run) => run.toISOString()) };
    }),
  ];
}
