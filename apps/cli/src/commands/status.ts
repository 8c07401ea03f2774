import { authRoutes } from '@backupx/contracts/api/auth';
import { dashboardRoutes, systemRoutes } from '@backupx/contracts/api/system';
import type { ClientOutputOf } from '@backupx/contracts/define-route';
import type { Command } from 'commander';
import { connect, connectPublic, isSignedIn } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, formatRelative, printable } from '../output/format.ts';

export function addStatusCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('status')
    .description('Is the master up, and is everything protected? Exit code 1 when something needs attention')
    .option(...jsonFlag)
    .action(act(context, async (options: { json?: boolean }) => showStatus(context, options.json === true)));
  withExamples(command, 'backupx status', 'BACKUPX_URL=https://backup.example.com backupx status --json');
}

async function showStatus(context: CommandContext, json: boolean): Promise<number> {
  if (!isSignedIn()) return showPublicStatus(context, json);
  const client = connect();
  const info = await client.call(systemRoutes.info);
  const overview = await client.call(dashboardRoutes.overview);
  if (json) {
    context.terminal.data(JSON.stringify({ url: client.url, info, overview }, null, 2));
  } else {
    const since = formatRelative(info.startedAt, context.now());
    context.terminal.data(`${client.url}  BackupX ${info.version}, started ${since}`);
    describeOverview(context, overview);
  }
  return overview.exceptions.length > 0 ? 1 : 0;
}

async function showPublicStatus({ terminal }: CommandContext, json: boolean): Promise<number> {
  const client = connectPublic();
  const { initialized } = await client.call(authRoutes.setupStatus);
  const next = initialized ? 'sign in to see more: backupx login' : 'it waits for its first administrator';
  terminal.data(json ? JSON.stringify({ url: client.url, initialized }) : `${client.url} is up; ${next}.`);
  return initialized ? 4 : 0;
}

type Overview = ClientOutputOf<typeof dashboardRoutes.overview>;

function describeOverview({ terminal, now }: CommandContext, overview: Overview): void {
  const { totalTasks, protectedTasks, storedBytes, nodes } = overview;
  terminal.data(
    `${protectedTasks} of ${formatCount(totalTasks, 'task')} protected, ${formatBytes(storedBytes)} stored, ` +
      `${nodes.online} of ${formatCount(nodes.total, 'server')} online`,
  );
  for (const exception of overview.exceptions) {
    const since = exception.since ? ` since ${formatRelative(exception.since, now())}` : '';
    const text = `  ! ${exception.taskName}: ${exception.reason}${since} ${exception.message}`;
    terminal.data(printable(text).trimEnd());
  }
  for (const record of overview.running) {
    terminal.data(`  … ${printable(record.taskName)} is running (run ${record.id})`);
  }
}
