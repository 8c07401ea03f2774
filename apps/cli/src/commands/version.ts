import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { act, type CommandContext } from '../command-context.ts';

/** Version of the program. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export function addVersionCommand(program: Command, context: CommandContext): void {
  program
    .command('version')
    .description('Print the version')
    .action(
      act(context, async () => {
        context.terminal.data(
          `backupx ${readVersion()} (node ${process.version}, ${process.platform} ${process.arch})`,
        );
        return 0;
      }),
    );
}
