import { backupModeSchema, taskRoutes } from '@backupx/contracts/api/tasks';
import { type Command, Option } from 'commander';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { addSettingOptions, findSourceDriver, readSettings, type SettingOptions } from '../driver-settings.ts';
import { parseCount } from '../parse-argument.ts';

interface CreateOptions extends SettingOptions {
  type: string;
  storage: number[];
  node?: number;
  cron: string;
  mode: 'full' | 'repository';
  encrypt: boolean;
  keepDays?: number;
  json?: boolean;
}

const collectCount = (text: string, earlier: readonly number[] = []): number[] => [...earlier, parseCount(text)];

/** `backupx task create` */
export function addTaskCreate(task: Command, context: CommandContext): void {
  const command = task
    .command('create <name>')
    .description('Create a task; prints its id')
    .requiredOption('--type <type>', 'kind of source, such as postgresql, sqlite or file')
    .requiredOption('--storage <id>', 'storage target (repeatable; backupx storage list)', collectCount)
    .option('--node <id>', 'the server that reads (backupx node list)', parseCount)
    .option('--cron <expression>', 'when it runs; empty: only by hand', '')
    .addOption(
      new Option('--mode <mode>', 'archives, or snapshots in a repository')
        .choices(backupModeSchema.options)
        .default('full'),
    )
    .option('--no-encrypt', 'archives only: not encrypted')
    .option('--keep-days <days>', 'delete backups after so many days', parseCount)
    .option(...jsonFlag);
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
  const client = connect();
  const { fields } = await findSourceDriver(client, options.type);
  const { paths, excludePatterns, ...extraConfig } = await readSettings(fields, options);
  const created = await client.call(taskRoutes.create, {
    body: {
      name,
      type: options.type,
      nodeId: options.node ?? 0,
      cronExpr: options.cron,
      sourcePaths: paths ?? [],
      excludePatterns: excludePatterns ?? [],
      extraConfig,
      storageTargetIds: options.storage,
      backupMode: options.mode,
      encrypt: options.encrypt && options.mode === 'full',
      retentionDays: options.keepDays ?? 0,
    },
  });
  context.terminal.data(options.json ? JSON.stringify(created, null, 2) : String(created.id));
  return 0;
}
