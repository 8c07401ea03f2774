import type { Command } from 'commander';
import { buildConsole } from '../build-console.ts';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { parsePort } from '../parse-argument.ts';
import { startMaster } from '../start-master.ts';
import { endSoon } from '../stop-signal.ts';

interface ServerCommandOptions {
  config?: string;
  host?: string;
  port?: number;
  dataDir?: string;
  buildConsole?: boolean;
}

/** `backupx` alone means this one. */
export function addServerCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('server', { isDefault: true })
    .description('Run the master: console, API, scheduler (the default command)')
    .option('--config <file>', 'YAML file (default: ./config.yaml or /etc/backupx/config.yaml)')
    .option('--host <address>', 'address to listen on')
    .option('--port <port>', 'port to listen on (default 8340)', parsePort)
    .option('--data-dir <folder>', 'folder of database and keys (default ./data)')
    .option('--build-console', 'first build the console when it is missing or older than its sources (a checkout)')
    .action(
      act(context, async (options: ServerCommandOptions) => {
        if (options.buildConsole) await buildConsole(context.terminal);
        const server = await startMaster(options);
        await server.stopped;
        endSoon();
        return 0;
      }),
    );
  withExamples(command, 'backupx', 'backupx server --port 9000 --data-dir /var/lib/backupx');
}
