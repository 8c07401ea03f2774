import type { Command } from 'commander';
import { type CommandContext, jsonFlag } from '../command-context.ts';
import { actOnArchive } from './wal-call.ts';

/** Options of every such command. */
export interface LookFlags {
  readonly config: string;
  readonly json?: boolean;
}

export interface Look<F extends LookFlags, R> {
  readonly name: string;
  readonly description: string;
  readonly configOption: readonly [flags: string, description: string];
  run(flags: F): Promise<R>;
  text(result: R): string;
  /** The exit code; left out: 0. */
  code?(result: R): number;
}

/** A command that asks an archive something and prints the answer, with `--json` all of it. */
export function addLook<F extends LookFlags, R>(parent: Command, context: CommandContext, look: Look<F, R>): Command {
  return parent
    .command(look.name)
    .description(look.description)
    .requiredOption(...look.configOption)
    .option(...jsonFlag)
    .action(
      actOnArchive(context, async (flags: F) => {
        const result = await look.run(flags);
        context.terminal.data(flags.json ? JSON.stringify(result, null, 2) : look.text(result));
        return look.code?.(result) ?? 0;
      }),
    );
}
