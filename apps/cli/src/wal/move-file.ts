/**
 * What PostgreSQL starts for each file of its log. Its exit codes are commands to the server. Archiving: anything but 0
 * means "keep it, try again", and above 125 the archiver itself ends. Recovery: up to 125 means "not there", which ends
 * the recovery; only above that it stops and changes nothing.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { reportError } from '../output/report-error.ts';
import { endFromStuckDisk } from '../stop-signal.ts';
import { configOption, given, walCall } from './wal-call.ts';

const LARGEST_ORDINARY = 125;
const NOT_THERE = 1;
/** For a standby, which asks again and never takes it for the end. */
const TRY_AGAIN = 2;
/** No number that a shell makes of a signal. */
const STOP_RECOVERY = 200;
/** As if SIGTERM had ended us: the server is shutting down. */
const TERMINATED = 143;

/**
 * For postgresql.conf. A program that cannot start, or is gone, may end with 1 as well, and that would end the recovery too
 * early: so "not there" has a code of its own, and a shell makes the end of the log of that alone.
 */
export const RESTORE_COMMAND = `restore_command = 'backupx wal fetch --config /etc/backupx/wal.conf --not-there 99 "%f" "%p" || { [ $? = 99 ] && exit 1; exit 255; }'`;

/** `backupx wal push --config FILE PATH` */
export function addPushCommand(wal: Command, context: CommandContext): void {
  const command = wal
    .command('push')
    .description('Archive one file of the log (archive_command)')
    .argument('<path>', 'the file: %p')
    .requiredOption(...configOption)
    .action(async (path: string, flags: { config: string }) => {
      process.exitCode = await push(path, flags.config, context);
      endFromStuckDisk();
    });
  withExamples(command, "archive_command = 'backupx wal push --config /etc/backupx/wal.conf %p'");
}

async function push(path: string, config: string, { terminal }: CommandContext): Promise<number> {
  try {
    const { pushWal } = await import('@backupx/engine/wal-archive');
    await pushWal(walCall(config), path);
    return 0;
  } catch (error) {
    const code = reportError(error, terminal);
    return code > LARGEST_ORDINARY ? 1 : code;
  }
}

interface FetchFlags {
  readonly config?: string;
  readonly standby?: boolean;
  readonly notThere?: string;
}

/** `backupx wal fetch --config FILE NAME PATH` */
export function addFetchCommand(wal: Command, context: CommandContext): void {
  const command = wal
    .command('fetch')
    .description('Bring one file of the log back (restore_command)')
    // A call that is not understood must not look like the end of the log, so the parser lets everything pass.
    .argument('[name]', 'name of the file: %f')
    .argument('[path]', 'where to write it: %p')
    .option(...configOption)
    .option('--standby', `failures end with ${TRY_AGAIN}, since a standby asks again, instead of ${STOP_RECOVERY}`)
    .option(
      '--not-there <code>',
      `what to end with when the archive does not have it, instead of ${NOT_THERE}: a code that nothing else ends with`,
    )
    .allowExcessArguments()
    .allowUnknownOption()
    .action(async (name: string | undefined, path: string | undefined, flags: FetchFlags) => {
      process.exitCode = await fetch({ name, path, flags }, context);
      endFromStuckDisk();
    })
    .addHelpText(
      'after',
      `\nExit codes: 0 restored, ${NOT_THERE} not in the archive, ${STOP_RECOVERY} anything else: the recovery stops instead of ending too early.`,
    );
  withExamples(command, RESTORE_COMMAND);
}

function codeOf(text: string | undefined): number {
  if (text === undefined) return NOT_THERE;
  const code = Number(text);
  if (Number.isInteger(code) && code >= 1 && code <= LARGEST_ORDINARY) return code;
  const message = `must be a number from 1 to ${LARGEST_ORDINARY}`;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--not-there', code: 'invalid', message }] });
}

interface FetchCall {
  readonly name: string | undefined;
  readonly path: string | undefined;
  readonly flags: FetchFlags;
}

async function fetch({ name, path, flags }: FetchCall, { terminal }: CommandContext): Promise<number> {
  let signal: AbortSignal | null = null;
  try {
    const call = walCall(flags.config);
    signal = call.signal;
    const { fetchWal } = await import('@backupx/engine/wal-archive');
    const file = { name: given(name, '%f'), path: given(path, '%p'), isStandby: flags.standby ?? false };
    const notThere = codeOf(flags.notThere);
    return (await fetchWal(call, file)) ? 0 : notThere;
  } catch (error) {
    reportError(error, terminal);
    if (signal?.aborted) return TERMINATED;
    return flags.standby ? TRY_AGAIN : STOP_RECOVERY;
  }
}
