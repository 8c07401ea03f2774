import { sourceRoutes } from '@backupx/contracts/api/sources';
import { AppError } from '@backupx/contracts/errors';
import type { InspectSourceResult } from '@backupx/contracts/jobs';
import type { Command } from 'commander';
import { findTask } from '../api/find-task.ts';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { addSettingOptions, findSourceDriver, readSettings, type SettingOptions } from '../driver-settings.ts';
import { formatBytes, printable } from '../output/format.ts';
import { parseCount } from '../parse-argument.ts';

interface TestOptions extends SettingOptions {
  type?: string;
  task?: string;
  node?: number;
  json?: boolean;
}

/** `backupx source test` */
export function addSourceCommand(program: Command, context: CommandContext): void {
  const source = program.command('source').description('Sources: what can be backed up');
  const test = source
    .command('test')
    .description('Test a connection with the programs of a backup, and list what is there')
    .option('--type <type>', 'kind of source, such as postgresql')
    .option('--task <task>', 'settings of this task; --set changes some of them')
    .option('--node <id>', 'ask from this server', parseCount)
    .option(...jsonFlag);
  addSettingOptions(test, 'a setting of the source').action(
    act(context, (options: TestOptions) => testSource(context, options)),
  );
  withExamples(
    source,
    'backupx source test --type postgresql --set dbHost=db-1 --set dbUser=backup --ask dbPassword',
    'backupx source test --task shop',
  );
}

async function testSource(context: CommandContext, options: TestOptions): Promise<number> {
  const client = connect();
  const task = options.task === undefined ? undefined : await findTask(client, options.task);
  const type = options.type ?? task?.type;
  if (type === undefined) {
    const fields = [{ path: '--type', code: 'required', message: 'say which: --type or --task' }];
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  const { fields } = await findSourceDriver(client, type);
  const config = { ...task?.extraConfig, ...(await readSettings(fields, options)) };
  const nodeId = options.node ?? task?.nodeId;
  const body = { type, config, taskId: task?.id, ...(nodeId === undefined ? {} : { nodeId }) };
  const found = await client.call(sourceRoutes.inspect, { body });
  if (options.json) context.terminal.data(JSON.stringify(found, null, 2));
  else print(context, found);
  return 0;
}

function print({ terminal }: CommandContext, found: InspectSourceResult): void {
  terminal.data(`✓ ${printable([found.server, found.tool].filter(Boolean).join(', '))}`);
  for (const { name, sizeBytes } of found.databases) {
    terminal.data(`  ${printable(name)}${sizeBytes === null ? '' : `  ${formatBytes(sizeBytes)}`}`);
  }
  for (const warning of found.warnings) terminal.say(`! ${printable(warning)}`);
}
