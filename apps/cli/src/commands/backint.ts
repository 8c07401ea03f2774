import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { readVersion } from './version.ts';

interface BackintFlags {
  readonly user?: string;
  readonly function?: string;
  readonly input?: string;
  readonly output?: string;
  readonly parameters?: string;
  readonly backupId?: string;
  readonly level?: string;
  readonly agentVersion?: boolean;
}

/** `backupx backint …`, also started as `hdbbackint`: the backup agent of SAP HANA. */
export function addBackintCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('backint')
    .description('Answer a call of SAP HANA (Backint agent; also started as hdbbackint)')
    .option('-u, --user <id>', 'user the backups belong to: the name of the database')
    .option('-f, --function <name>', 'backup, restore, inquire or delete')
    .option('-i, --input <file>', 'what is asked for (default: standard input)')
    .option('-o, --output <file>', 'where the answer goes (default: standard output)')
    .option('-p, --parameters <file>', 'parameter file')
    .option('-s, --backup-id <id>', 'id of the backup this call is a part of')
    .option('-c, --count <number>', 'number of objects of that backup')
    .option('-l, --level <name>', 'kind of that backup')
    .option('-v, --agent-version', 'print the versions of protocol and agent')
    // A newer database may say more than this program knows; that is no reason not to back it up.
    .allowUnknownOption()
    .allowExcessArguments()
    .action(act(context, (flags: BackintFlags) => answer(flags, context)));
  withExamples(
    command,
    'backupx backint -v',
    'backupx backint -f inquire -u HDB -p /etc/backupx/backint.conf < input',
    'ln -s "$(command -v backupx)" /usr/sap/HDB/SYS/global/hdb/opt/hdbbackint',
  );
}

async function answer(flags: BackintFlags, { terminal }: CommandContext): Promise<number> {
  const { backintVersion, runBackint } = await import('@backupx/engine/backint-agent');
  const agent = `BackupX ${readVersion()}`;
  if (flags.agentVersion) {
    terminal.data(backintVersion(agent));
    return 0;
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  await runBackint({
    function: required(flags.function, '-f'),
    user: required(flags.user, '-u'),
    parameterFile: required(flags.parameters, '-p'),
    inputFile: flags.input ?? null,
    outputFile: flags.output ?? null,
    backupId: flags.backupId ?? null,
    level: flags.level ?? null,
    agent,
    signal: stop.signal,
    say: (message) => terminal.say(message),
  });
  return 0;
}

function required(value: string | undefined, flag: string): string {
  if (value !== undefined && value !== '') return value;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: flag, code: 'required', message: 'must be given' }] });
}
