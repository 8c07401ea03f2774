import { type Task, taskRoutes } from '@backupx/contracts/api/tasks';
import type { Command } from 'commander';
import { findTask, listTasks } from '../api/find-task.ts';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, printList, withExamples } from '../command-context.ts';
import { formatRelative, printable } from '../output/format.ts';
import { waitForBackup } from '../wait-for-run.ts';
import { addTaskDelete, addTaskUpdate } from './task-change.ts';
import { addTaskCreate } from './task-create.ts';

/** `backupx task list|show|create|update|delete|run` */
export function addTaskCommand(program: Command, context: CommandContext): void {
  const task = program.command('task').alias('tasks').description('Tasks: what is backed up, when and where to');
  withExamples(task, 'backupx task list', 'backupx task run web-files --wait');
  addList(task, context);
  addShow(task, context);
  addTaskCreate(task, context);
  addTaskUpdate(task, context);
  addTaskDelete(task, context);
  addRun(task, context);
}

function addList(task: Command, context: CommandContext): void {
  task
    .command('list')
    .description('All tasks')
    .option(...jsonFlag)
    .action(
      act(context, async (options: { json?: boolean }) => {
        const items = await listTasks(connect());
        printList(context, {
          items,
          json: options.json,
          heading: ['ID', 'NAME', 'TYPE', 'SERVER', 'LAST RUN', 'STATUS', 'NEXT RUN'],
          row: (item) => [
            String(item.id),
            printable(item.name),
            item.type,
            printable(item.nodeName),
            formatRelative(item.lastRunAt, context.now()),
            item.enabled ? item.lastRun?.status || 'never ran' : 'disabled',
            formatRelative(item.nextRunAt, context.now()),
          ],
        });
        return 0;
      }),
    );
}

function sourceOf(task: Task): string {
  if (task.sourcePaths.length > 0) return task.sourcePaths.join(', ');
  if (task.dbPath !== '') return task.dbPath.replaceAll('\n', ', ');
  return [task.dbHost, task.dbName || 'all databases'].filter(Boolean).join(': ');
}

function addShow(task: Command, context: CommandContext): void {
  task
    .command('show <task>')
    .description('One task, by id or name')
    .option(...jsonFlag)
    .action(
      act(context, async (reference: string, options: { json?: boolean }) => {
        const found = await findTask(connect(), reference);
        if (options.json) {
          context.terminal.data(JSON.stringify(found, null, 2));
          return 0;
        }
        const lines = [
          `${found.id}  ${found.name}${found.enabled ? '' : '  (disabled)'}`,
          `source    ${found.type} on ${found.nodeName}: ${sourceOf(found)}`,
          `leave out ${found.excludePatterns.join(', ') || '-'}`,
          `storage   ${found.storageTargetNames.join(', ')}`,
          `schedule  ${found.cronExpr || 'only by hand'} ${found.timezone}`,
          `format    ${found.compression}, ${found.encrypt ? 'encrypted' : 'not encrypted'}`,
          `last run  ${formatRelative(found.lastRunAt, context.now())} ${found.lastRun?.status ?? ''}`,
          `next run  ${formatRelative(found.nextRunAt, context.now())}`,
        ];
        for (const line of lines) context.terminal.data(printable(line).trimEnd());
        return 0;
      }),
    );
}

interface RunOptions {
  wait?: boolean;
  cancelOnInterrupt?: boolean;
  json?: boolean;
}

function addRun(task: Command, context: CommandContext): void {
  const command = task
    .command('run <task>')
    .description('Run a task now; prints the id of the record')
    .option('--wait', 'show the progress and wait for the end; exit code 3: finished with unreadable items')
    .option('--cancel-on-interrupt', 'with --wait: Ctrl-C stops the run instead of leaving it')
    .option(...jsonFlag)
    .action(
      act(context, async (reference: string, options: RunOptions) => {
        const client = connect();
        const found = await findTask(client, reference);
        const record = await client.call(taskRoutes.run, { params: { id: found.id } });
        if (options.wait) return waitForBackup(context, client, { ...options, id: record.id, label: found.name });
        context.terminal.data(options.json ? JSON.stringify(record, null, 2) : String(record.id));
        return 0;
      }),
    );
  withExamples(command, 'backupx task run web-files --wait', 'id=$(backupx task run 3) && backupx run show "$id"');
}
