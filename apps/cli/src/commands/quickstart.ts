import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { parsePort } from '../parse-argument.ts';

interface QuickstartCommandOptions {
  host?: string;
  port?: number;
  dataDir: string;
  once?: boolean;
}

export function addQuickstartCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('quickstart')
    .argument('<folder>', 'folder to back up')
    .description('From nothing to a first backup of a folder, then serve the console')
    .option('--port <port>', 'port to listen on (default 8340)', parsePort)
    .option('--host <address>', 'address to listen on')
    .option('--data-dir <folder>', 'folder of database, keys and the first backups', './data')
    .option('--once', 'end after the backup instead of serving')
    .action(
      act(context, async (folder: string, options: QuickstartCommandOptions) => {
        const { runQuickstart } = await import('../quickstart/run-quickstart.ts');
        return runQuickstart(context, { ...options, folder, once: options.once === true });
      }),
    );
  withExamples(command, 'backupx quickstart /srv/www', 'backupx quickstart ~/documents --port 9000');
}
