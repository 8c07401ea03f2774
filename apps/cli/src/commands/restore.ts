import { resolve } from 'node:path';
import { type BackupRecord, recordRoutes } from '@backupx/contracts/api/records';
import { AppError } from '@backupx/contracts/errors';
import { type OverwriteMode, overwriteModeSchema } from '@backupx/contracts/jobs';
import { type Command, Option } from 'commander';
import type { ApiClient } from '../api/api-client.ts';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import {
  addSettingOptions,
  findSourceDriver,
  hasSettings,
  readSettings,
  type SettingOptions,
} from '../driver-settings.ts';
import { printable } from '../output/format.ts';
import { collect, parseCount } from '../parse-argument.ts';
import { showTarget } from '../show-target.ts';
import { waitForRestore } from '../wait-for-run.ts';

interface RestoreOptions extends SettingOptions {
  target?: string;
  original?: boolean;
  path?: string[];
  overwrite: OverwriteMode;
  node?: number;
  confirm?: string;
  /** False with `--no-safety-backup`. */
  safetyBackup: boolean;
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
    .option('--no-safety-backup', 'databases: do not first back up what is replaced')
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
    'backupx restore 813 --original --set replaceExisting=true --set endSessions=true --confirm shop --wait',
    'backupx restore 812 --original --overwrite if_newer --confirm web-files',
  );
}

/** The body of the request, and whether it replaces databases. */
async function readWishes(client: ApiClient, record: BackupRecord, options: RestoreOptions) {
  const isKnown = hasSettings(options) || (options.original && record.taskType !== 'file');
  const driver = isKnown ? await findSourceDriver(client, record.taskType) : null;
  const chosen = await readSettings(driver?.restoreFields ?? [], options);
  const body = {
    targetPath: options.target ? resolve(options.target) : undefined,
    paths: options.path,
    nodeId: options.node,
    overwrite: options.overwrite,
    ...(Object.keys(chosen).length > 0 ? { options: chosen } : {}),
    ...(options.safetyBackup ? {} : { safetyBackup: false }),
  };
  return { body, driver, replaces: options.original === true && chosen.replaceExisting === true };
}

/** Says what is lost. 0: it was confirmed. */
function confirmLoss({ terminal }: CommandContext, record: BackupRecord, confirm: string | undefined): number {
  if (confirm === record.taskName) return 0;
  terminal.say(`This overwrites live data of ${record.nodeName} with the backup of ${record.startedAt}.`);
  terminal.say(`If that is what you want, add: --confirm '${record.taskName}'`);
  return 13;
}

/**
 * Says what would be replaced. An old agent cannot tell; that stops only those who want it saved first. A restore that
 * replaces nothing by itself (`replaces` false) is stopped by no failure of this.
 */
async function lookAtTarget(
  context: CommandContext,
  client: ApiClient,
  {
    params,
    body,
    replaces,
  }: { params: { id: number } } & Pick<Awaited<ReturnType<typeof readWishes>>, 'body' | 'replaces'>,
): Promise<number> {
  try {
    const found = await client.call(recordRoutes.previewRestore, { params, body });
    return showTarget(context, found, body.options ?? {});
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const isWanted = error.code !== 'NOT_SUPPORTED' || body.safetyBackup !== false;
    if (replaces && isWanted) throw error;
    context.terminal.say(printable(error.message));
    return 0;
  }
}

async function restore(context: CommandContext, recordId: number, options: RestoreOptions): Promise<number> {
  const { terminal } = context;
  if (Boolean(options.target) === Boolean(options.original)) {
    const message = 'say where to: either --target <folder> or --original';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--target', code: 'required', message }] });
  }
  const client = connect();
  const record = await client.call(recordRoutes.get, { params: { id: recordId } });
  const { body, driver, replaces } = await readWishes(client, record, options);
  const params = { id: recordId };
  // Some replace nothing by themselves, and it is worth knowing who is there all the same.
  const mayReplace = driver?.restoreFields?.some(({ name }) => name === 'replaceExisting') ?? false;
  if (options.original && driver?.canInspectTarget && (replaces || !mayReplace)) {
    const code = await lookAtTarget(context, client, { params, body, replaces });
    if (code !== 0) return code;
  }
  if (options.original && (replaces || options.overwrite !== 'never')) {
    const code = confirmLoss(context, record, options.confirm);
    if (code !== 0) return code;
  }
  const started = await client.call(recordRoutes.restore, { params, body });
  if (started.safetyRecordId > 0) terminal.say(`First backing up what is there, as run ${started.safetyRecordId}.`);
  if (options.wait) {
    return waitForRestore(context, client, { id: started.id, label: `restore ${record.taskName}`, json: options.json });
  }
  terminal.data(options.json ? JSON.stringify(started, null, 2) : String(started.id));
  return 0;
}
