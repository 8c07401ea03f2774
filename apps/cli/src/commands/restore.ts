import { resolve } from 'node:path';
import { recordRoutes } from '@backupx/contracts/api/records';
import { AppError } from '@backupx/contracts/errors';
import { type OverwriteMode, overwriteModeSchema } from '@backupx/contracts/jobs';
import { type Command, Option } from 'commander';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { addSettingOptions, findSourceDriver, readSettings, type SettingOptions } from '../driver-settings.ts';
import { collect, parseCount } from '../parse-argument.ts';
import { waitForRestore } from '../wait-for-run.ts';

interface RestoreOptions extends SettingOptions {
  target?: string;
  original?: boolean;
  path?: string[];
  overwrite: OverwriteMode;
  node?: number;
  confirm?: string;
  wait?: boolean;
  json?: boolean;
}

export function addRestoreCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('restore')
    .argument('<recordId>', 'the run to restore (backupx run list)', parseCount)
    .description('Get files or databases back')
    .option('--target <folder>', 'restore below this folder, on the server the backup was made on')
    .option('--original', 'restore to the original place; databases: into a server')
    .option('--path <path>', 'only this file or folder, as it was named at the source (repeatable)', collect)
    .addOption(
      new Option('--overwrite <mode>', 'what happens to files that are there already')
        .choices(overwriteModeSchema.options)
        .default('never' satisfies OverwriteMode),
    )
    .option('--node <id>', 'restore on this server instead', parseCount)
    .option('--confirm <task>', 'needed to overwrite at the original place: the name of the task')
    .option('--wait', 'show the progress and wait for the end')
    .option(...jsonFlag);
  addSettingOptions(command, 'an option of the source, such as rename=shop=shop_copy').action(
    act(context, (recordId: number, options: RestoreOptions) => restore(context, recordId, options)),
  );
  withExamples(
    command,
    'backupx restore 812 --target /tmp/back --wait',
    'backupx restore 812 --target /tmp/back --path /srv/www/index.html',
    'backupx restore 813 --original --set rename=shop=shop_copy --wait',
    'backupx restore 812 --original --overwrite if_newer --confirm web-files',
  );
}

const hasSettings = ({ set, secretFile, ask }: SettingOptions) => Boolean(set || secretFile || ask);

async function restore(context: CommandContext, recordId: number, options: RestoreOptions): Promise<number> {
  const { terminal } = context;
  if (Boolean(options.target) === Boolean(options.original)) {
    const message = 'say where to: either --target <folder> or --original';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--target', code: 'required', message }] });
  }
  const client = connect();
  const record = await client.call(recordRoutes.get, { params: { id: recordId } });
  const { restoreFields = [] } = hasSettings(options) ? await findSourceDriver(client, record.taskType) : {};
  const chosen = await readSettings(restoreFields, options);
  const replaces = options.overwrite !== 'never' || chosen.replaceExisting === true;
  if (options.original && replaces && options.confirm !== record.taskName) {
    terminal.say(`This overwrites live data of ${record.nodeName} with the backup of ${record.startedAt}.`);
    terminal.say(`If that is what you want, add: --confirm '${record.taskName}'`);
    return 13;
  }
  const started = await client.call(recordRoutes.restore, {
    params: { id: recordId },
    body: {
      targetPath: options.target ? resolve(options.target) : undefined,
      paths: options.path,
      nodeId: options.node,
      overwrite: options.overwrite,
      ...(Object.keys(chosen).length > 0 ? { options: chosen } : {}),
    },
  });
  if (options.wait) {
    return waitForRestore(context, client, { id: started.id, label: `restore ${record.taskName}`, json: options.json });
  }
  terminal.data(options.json ? JSON.stringify(started, null, 2) : String(started.id));
  return 0;
}
