/** What can be said of a task on the command line, beside the settings of its source. */
import { backupModeSchema } from '@backupx/contracts/api/tasks';
import { type Command, Option } from 'commander';
import type { SettingOptions } from '../driver-settings.ts';
import { parseCount, parseCountOrZero } from '../parse-argument.ts';

/** As commander fills them in; what was not given is missing. */
export interface TaskOptions extends SettingOptions {
  readonly storage?: number[];
  readonly node?: number;
  readonly cron?: string;
  readonly mode?: 'full' | 'repository';
  readonly encrypt?: boolean;
  readonly keepDays?: number;
}

const collectCount = (text: string, earlier: readonly number[] = []): number[] => [...earlier, parseCount(text)];

/** Adds them to a command. */
export function addTaskOptions(command: Command): Command {
  return command
    .option('--storage <id>', 'storage target (repeatable; backupx storage list)', collectCount)
    .option('--node <id>', 'the server that reads (backupx node list)', parseCount)
    .option('--cron <expression>', 'when it runs; empty: only by hand')
    .addOption(new Option('--mode <mode>', 'archives, or snapshots in a repository').choices(backupModeSchema.options))
    .option('--encrypt', 'archives only: encrypted')
    .option('--no-encrypt', 'archives only: not encrypted')
    .option('--keep-days <days>', 'delete backups after so many days; 0: never', parseCountOrZero);
}
