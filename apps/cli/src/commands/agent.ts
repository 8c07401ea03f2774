import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { endSoon, untilStopSignal } from '../stop-signal.ts';

/** Flags as agents in the field take them. */
interface AgentCommandOptions {
  master?: string;
  token?: string;
  tokenFile?: string;
  config?: string;
  tempDir?: string;
  stateDir?: string;
  proxyUrl?: string;
  caCert?: string;
  insecureTls?: boolean;
  maxConcurrent?: string;
  storagePatience?: string;
  threads?: string;
  nice?: string;
}

export function addAgentCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('agent')
    .description('Run the agent: back up this machine under the direction of a master')
    .option('--master <url>', 'address of the master, e.g. https://backup.example.com')
    .option('--token-file <file>', 'file that holds the token of this server')
    .option('--token <token>', 'the token itself; visible in the process list, prefer --token-file')
    .option('--config <file>', 'YAML file with the same settings')
    .option('--temp-dir <folder>', 'folder for staging (default: tmp in the state folder)')
    .option(
      '--state-dir <folder>',
      'folder for what the agent must remember (default: /var/lib/backupx-agent for root)',
    )
    .option('--proxy-url <url>', 'HTTP(S) or SOCKS5 proxy to reach the master')
    .option('--ca-cert <file>', 'PEM certificate of a private authority that signed the master')
    .option('--insecure-tls', 'do not check the certificate of the master (tests only)')
    .option('--max-concurrent <count>', 'backups and restores at the same time (default 1)')
    .option('--storage-patience <time>', 'how long a run waits for a storage that does not answer (default 15m)')
    .option('--threads <count>', 'threads that compress and encrypt for one run (default: one per core)')
    .option('--nice <level>', 'let other programs go first, 0 to 19 (default 0)')
    .action(
      act(context, async (options: AgentCommandOptions) => {
        const { runAgent } = await import('@backupx/agent/main');
        const agent = await runAgent({ flags: options });
        await untilStopSignal();
        await agent.stop();
        endSoon();
        return 0;
      }),
    );
  withExamples(
    command,
    'backupx agent --master https://backup.example.com --token-file /etc/backupx-agent.token',
    'backupx agent --config /etc/backupx-agent.yaml',
  );
}
