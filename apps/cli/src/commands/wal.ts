import type { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { addExpireCommand, addListCommand, addVerifyCommand } from '../wal/look.ts';
import { addFetchCommand, addPushCommand, RESTORE_COMMAND } from '../wal/move-file.ts';
import { addReceiveCommand, addSlotCommand } from '../wal/receive.ts';

/** `backupx wal …`: the archive of PostgreSQL's log. */
export function addWalCommand(program: Command, context: CommandContext): void {
  const wal = program
    .command('wal')
    .description("Archive PostgreSQL's log, for recovery to any point in time")
    .addHelpText('after', '\nThe file of --config is described in docs/databases.md, "Point in time".');
  withExamples(
    wal,
    'backupx wal push --config /etc/backupx/wal.conf pg_wal/000000010000000000000003',
    "archive_command = 'backupx wal push --config /etc/backupx/wal.conf %p'",
    RESTORE_COMMAND,
    'backupx wal verify --config /etc/backupx/wal.conf --deep',
  );
  for (const add of [
    addPushCommand,
    addFetchCommand,
    addReceiveCommand,
    addSlotCommand,
    addListCommand,
    addVerifyCommand,
    addExpireCommand,
  ]) {
    add(wal, context);
  }
}
