import { recordRoutes } from '@backupx/contracts/api/records';
import { verifyRoutes } from '@backupx/contracts/api/verifications';
import type { Command } from 'commander';
import type { ApiClient } from '../api/api-client.ts';
import { followVerification } from '../api/follow-run.ts';
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
import { createProgressLine } from '../output/progress-line.ts';
import { exitCodeOfRun } from '../output/report-error.ts';
import { parseCount } from '../parse-argument.ts';

interface VerifyOptions extends SettingOptions {
  deep?: boolean;
  wait?: boolean;
  json?: boolean;
}

export function addVerifyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('verify')
    .argument('<recordId>', 'the run to verify (backupx run list)', parseCount)
    .description('Prove that a backup can be restored; exits with 8 when it is damaged')
    .option('--deep', 'read all of it, restore into a scratch place and compare')
    .option('--wait', 'show the progress and wait for the end')
    .option(...jsonFlag);
  addSettingOptions(command, 'with --deep: the server to restore into, such as dbHost=test-1').action(
    act(context, (recordId: number, options: VerifyOptions) => verify(context, recordId, options)),
  );
  withExamples(
    command,
    'backupx verify 812 --wait',
    'backupx verify 812 --deep --wait',
    'backupx verify 812 --deep --set dbHost=test-1 --set dbUser=verify --secret-file dbPassword=/root/pw --wait',
  );
}

/** Only what says where a server is, and as whom to log in. */
async function readServer(client: ApiClient, recordId: number, options: SettingOptions) {
  const record = await client.call(recordRoutes.get, { params: { id: recordId } });
  const { restoreFields = [] } = await findSourceDriver(client, record.taskType);
  const fields = restoreFields.filter((field) => field.place);
  return { options: await readSettings(fields, options) };
}

async function verify(context: CommandContext, recordId: number, options: VerifyOptions): Promise<number> {
  const { terminal } = context;
  const client = connect();
  const mode = options.deep ? 'deep' : 'quick';
  const server = hasSettings(options) ? await readServer(client, recordId, options) : {};
  const body = { mode, ...server } as const;
  const started = await client.call(verifyRoutes.startForRecord, { params: { id: recordId }, body });
  if (!options.wait) {
    terminal.data(options.json ? JSON.stringify(started, null, 2) : String(started.id));
    return 0;
  }
  const line = createProgressLine(printable(`verify ${started.taskName}`), terminal, context.monotonicMs);
  const run = await followVerification(client, started.id, { onProgress: (progress) => line.show(progress) }).finally(
    () => line.clear(),
  );
  if (options.json) terminal.data(JSON.stringify(run, null, 2));
  for (const { ok, name, subject, detail } of run.checks) {
    terminal.say(printable(`  ${ok ? 'passed' : 'FAILED'} ${name}: ${subject}: ${detail}`));
  }
  terminal.say(printable(`Verification ${run.id} of ${run.taskName}: ${run.status}`));
  if (run.checks.length === 0 && run.errorMessage) terminal.say(printable(`${run.errorMessage} ${run.errorHint}`));
  return exitCodeOfRun(run);
}
