import type { Command } from 'commander';
import { addExpireCommand, addListCommand, addVerifyCommand } from '../binlog/look.ts';
import { addReceiveCommand } from '../binlog/receive.ts';
import { addReplayCommand } from '../binlog/replay.ts';
import { type CommandContext, withExamples } from '../command-context.ts';

/** `backupx binlog …`: the archive of the binary log of MySQL and MariaDB. */
export function addBinlogCommand(program: Command, context: CommandContext): void {
  const binlog = program
    .command('binlog')
    .description('Archive the binary log of MySQL or MariaDB, and replay it up to any moment')
    .addHelpText('after', '\nThe file of --config is described in docs/databases.md, "Archive of the binary log".');
  withExamples(
    binlog,
    'backupx binlog receive --config /etc/backupx/binlog.conf',
    'backupx binlog verify --config /etc/backupx/binlog.conf',
    "backupx binlog replay --config /etc/backupx/binlog.conf --inventory inventory.json --until '2026-05-01 11:59:00Z' --dry-run",
  );
  for (const add of [addReceiveCommand, addListCommand, addVerifyCommand, addReplayCommand, addExpireCommand]) {
    add(binlog, context);
  }
}
