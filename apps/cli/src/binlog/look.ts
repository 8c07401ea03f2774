/** What is in an archive of binary logs, and whether it is whole. */
import type { Command } from 'commander';
import { type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, formatTable } from '../output/format.ts';
import { actOnArchive } from '../wal/wal-call.ts';
import { binlogCall, configOption } from './binlog-call.ts';

type Archive = typeof import('@backupx/engine/binlog-archive');
type ArchiveSummary = Awaited<ReturnType<Archive['listBinlogs']>>;
type LogVerdict = Awaited<ReturnType<Archive['verifyBinlogs']>>;

const DAMAGED = 8;

interface LookFlags {
  readonly config: string;
  readonly json?: boolean;
}

/** `backupx binlog list` */
export function addListCommand(binlog: Command, context: CommandContext): void {
  binlog
    .command('list')
    .description('Logs, their times and transactions, gaps')
    .requiredOption(...configOption)
    .option(...jsonFlag)
    .action(
      actOnArchive(context, async (flags: LookFlags) => {
        const { listBinlogs } = await import('@backupx/engine/binlog-archive');
        const summary = await listBinlogs(binlogCall(flags.config, context));
        context.terminal.data(flags.json ? JSON.stringify(summary, null, 2) : summaryText(summary));
        return 0;
      }),
    );
}

function summaryText({ logs, missing }: ArchiveSummary): string {
  const rows = logs.map((log) => [
    log.isPartial ? `${log.name} (being written)` : log.name,
    formatBytes(log.sizeBytes),
    log.firstAt,
    log.lastAt,
    String(log.transactions),
    log.gtids.join(',') || '-',
  ]);
  const table = formatTable([
    ['log', 'size', 'first event', 'last event', 'transactions', 'GTIDs at its end'],
    ...rows,
  ]);
  return [table.trimEnd(), ...missing.map((logs) => `missing: ${logs}`)].join('\n');
}

/** `backupx binlog verify` */
export function addVerifyCommand(binlog: Command, context: CommandContext): void {
  const command = binlog
    .command('verify')
    .description('Read every event of every log; name what is missing or damaged')
    .requiredOption(...configOption)
    .option('--from <log>', 'begin with this log')
    .option(...jsonFlag)
    .action(
      actOnArchive(context, async (flags: LookFlags & { readonly from?: string }) => {
        const { verifyBinlogs } = await import('@backupx/engine/binlog-archive');
        const verdict = await verifyBinlogs(binlogCall(flags.config, context), { from: flags.from ?? null });
        context.terminal.data(flags.json ? JSON.stringify(verdict, null, 2) : verdictText(verdict));
        return verdict.isWhole ? 0 : DAMAGED;
      }),
    )
    .addHelpText('after', `\nExit codes: 0 whole, ${DAMAGED} something is missing or damaged.`);
  withExamples(command, 'backupx binlog verify --config /etc/backupx/binlog.conf --from bin.000041');
}

function verdictText(verdict: LogVerdict): string {
  const lines = [`${formatCount(verdict.logs, 'log')}, ${formatBytes(verdict.sizeBytes)}`];
  lines.push(...verdict.missing.map((logs) => `missing: ${logs}`));
  lines.push(...verdict.damaged.map(({ name, reason }) => `damaged: ${name}: ${reason}`));
  lines.push(verdict.isWhole ? 'The archive is whole.' : 'The archive is NOT whole.');
  return lines.join('\n');
}
