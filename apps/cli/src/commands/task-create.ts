import { taskRoutes } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { addSettingOptions, findSourceDriver, readSettings } from '../driver-settings.ts';
import { addTaskOptions, type TaskOptions } from './task-options.ts';

interface CreateOptions extends TaskOptions {
  type: string;
  json?: boolean;
}

/** `backupx task create` */
export function addTaskCreate(task: Command, context: CommandContext): void {
  const command = task
    .command('create <name>')
    .description('Create a task; prints its id')
    .requiredOption('--type <type>', 'kind of source, such as postgresql, sqlite or file');
  addTaskOptions(command).option(...jsonFlag);
  addSettingOptions(command, 'a setting of the source').action(
    act(context, (name: string, options: CreateOptions) => create(context, name, options)),
  );
  withExamples(
    command,
    'backupx task create shop --type postgresql --storage 1 --cron @daily --set dbHost=db-1 --set dbUser=backup --secret-file dbPassword=/root/pw',
    "backupx task create apps --type sqlite --storage 1 --set 'databases=/srv/*/db.sqlite'",
  );
}

async function create(context: CommandContext, name: string, options: CreateOptions): Promise<number> {
  const { storage = [], mode = 'full' } = options;
  if (storage.length === 0) {
    const message = 'say where to: the id of a storage target (backupx storage list)';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--storage', code: 'required', message }] });
  }
  const client = connect();
  const { fields } = await findSourceDriver(client, options.type);
  const { paths, excludePatterns, ...extraConfig } = await readSettings(fields, options);
  const created = await client.call(taskRoutes.create, {
    body: {
      name,
      type: options.type,
      nodeId: options.node ?? 0,
      cronExpr: options.cron ?? '',
      sourcePaths: paths ?? [],
      excludePatterns: excludePatterns ?? [],
      extraConfig,
      storageTargetIds: storage,
      backupMode: mode,
      encrypt: (options.encrypt ?? true) && mode === 'full',
      retentionDays: options.keepDays ?? 0,
    },
  });
  context.terminal.data(options.json ? JSON.stringify(created, null, 2) : String(created.id));
  return 0;
}
