import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatCount, printable } from '../output/format.ts';
import { withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { json } from './snapshots.ts';

interface UnlockOptions extends RepositoryOptions {
  readonly removeAll?: boolean;
}

export function addUnlockCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('unlock')
    .description('Remove locks of work that is dead')
    .option('--remove-all', 'also locks that may belong to living work');
  withRepository(command).action(act(context, (options: UnlockOptions) => unlock(context, options)));
  withExamples(command, 'backupx repo unlock');
}

async function unlock(context: CommandContext, options: UnlockOptions): Promise<number> {
  const { terminal } = context;
  const repository = await readAccess(options);
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'unlock_repository', repository, all: options.removeAll === true }, 'unlock'),
  );
  if (options.json) {
    terminal.data(json(result));
    return 0;
  }
  for (const { holder, reason } of result.removed) terminal.data(printable(`removed: ${holder} (${reason})`));
  for (const { holder } of result.left) terminal.data(printable(`left: ${holder}`));
  terminal.say(`${formatCount(result.removed.length, 'lock')} removed, ${result.left.length} left`);
  return 0;
}
