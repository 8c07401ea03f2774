import type { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { actOnArchive } from '../wal/wal-call.ts';
import { binlogCall, configOption } from './binlog-call.ts';

interface ReceiveFlags {
  readonly config: string;
  readonly acceptGap?: boolean;
}

/** `backupx binlog receive` */
export function addReceiveCommand(binlog: Command, context: CommandContext): void {
  const command = binlog
    .command('receive')
    .description('Follow the binary log of a server until it is stopped')
    .requiredOption(...configOption)
    .option('--accept-gap', 'go on behind logs that the server has removed; make a new backup then')
    .action(
      actOnArchive(context, async (flags: ReceiveFlags) => {
        const { receiveBinlogs } = await import('@backupx/engine/binlog-archive');
        await receiveBinlogs(binlogCall(flags.config, context), { isGapAccepted: flags.acceptGap ?? false });
        return 0;
      }),
    )
    .addHelpText('after', '\nA gap ends it with exit code 8. SIGTERM stores what has arrived and ends it with 0.');
  withExamples(command, 'backupx binlog receive --config /etc/backupx/binlog.conf');
}
