/** `backupx task update` and `backupx task delete` */
import { type Task, type TaskInput, taskRoutes } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import type { ApiClient } from '../api/api-client.ts';
import { findTask } from '../api/find-task.ts';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { addSettingOptions, findSourceDriver, hasSettings, readSettings } from '../driver-settings.ts';
import { printable } from '../output/format.ts';
import { addTaskOptions, type TaskOptions } from './task-options.ts';

interface UpdateOptions extends TaskOptions {
  name?: string;
  json?: boolean;
}

/** Adds the command to `task`. */
export function addTaskUpdate(task: Command, context: CommandContext): void {
  const command = task
    .command('update <task>')
    .alias('edit')
    .description('Change a task, by id or name; what is not named stays as it is')
    .option('--name <name>', 'its new name');
  addTaskOptions(command).option(...jsonFlag);
  addSettingOptions(command, 'a setting of the source; a list is replaced, key= empties it').action(
    act(context, (reference: string, options: UpdateOptions) => update(context, reference, options)),
  );
  withExamples(
    command,
    'backupx task update shop --cron "0 3 * * *" --keep-days 30',
    'backupx task update shop --set dbHost=db-2 --secret-file dbPassword=/root/pw',
    'backupx task update shop --set databases=',
  );
}

/** The settings of the source after the change; masked secrets stay what they are. */
async function changedSource(client: ApiClient, found: Task, options: UpdateOptions): Promise<Partial<TaskInput>> {
  if (!hasSettings(options)) return {};
  const { fields } = await findSourceDriver(client, found.type);
  const { paths, excludePatterns, ...others } = await readSettings(fields, options);
  return {
    ...(paths === undefined ? {} : { sourcePath: undefined, sourcePaths: paths as string[] }),
    ...(excludePatterns === undefined ? {} : { excludePatterns: excludePatterns as string[] }),
    extraConfig: { ...found.extraConfig, ...others },
  };
}

/** Only what was named on the command line. */
function namedChanges(options: UpdateOptions): Partial<TaskInput> {
  const changes: Partial<TaskInput> = {
    name: options.name,
    nodeId: options.node,
    cronExpr: options.cron,
    storageTargetId: options.storage?.[0],
    storageTargetIds: options.storage,
    backupMode: options.mode,
    // A repository has its own encryption.
    encrypt: options.mode === 'repository' ? false : options.encrypt,
    retentionDays: options.keepDays,
  };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

async function update(context: CommandContext, reference: string, options: UpdateOptions): Promise<number> {
  const client = connect();
  const found = await findTask(client, reference);
  const changes = { ...namedChanges(options), ...(await changedSource(client, found, options)) };
  if (Object.keys(changes).length === 0) {
    const message = 'say what to change; backupx task update --help lists it';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'task update', code: 'required', message }] });
  }
  const body = { ...found, ...changes } as TaskInput;
  const changed = await client.call(taskRoutes.update, { params: { id: found.id }, body });
  context.terminal.data(options.json ? JSON.stringify(changed, null, 2) : String(changed.id));
  return 0;
}

/** Adds the command to `task`. */
export function addTaskDelete(task: Command, context: CommandContext): void {
  const command = task
    .command('delete <task>')
    .description('Delete a task, by id or name; its backups stay and can be restored')
    .option('--yes', 'do it; without this it is only said what would be lost')
    .action(act(context, (reference: string, options: { yes?: boolean }) => remove(context, reference, options)));
  withExamples(command, 'backupx task delete shop --yes');
}

async function remove({ terminal }: CommandContext, reference: string, options: { yes?: boolean }): Promise<number> {
  const client = connect();
  const found = await findTask(client, reference);
  if (!options.yes) {
    const plan = `This deletes task ${found.id} (${found.name}) on ${found.nodeName}: it runs no more. Its backups stay.`;
    terminal.say(printable(plan));
    terminal.say('If that is what you want, add: --yes');
    return 13;
  }
  await client.call(taskRoutes.remove, { params: { id: found.id } });
  terminal.say(printable(`Deleted task ${found.id} (${found.name}).`));
  return 0;
}
