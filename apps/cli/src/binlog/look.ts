/** What is in an archive of binary logs, and whether it is whole. */
import type { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, formatTable } from '../output/format.ts';
import { collect } from '../parse-argument.ts';
import { addLook, type LookFlags } from '../wal/add-look.ts';
import { describeExpiry } from '../wal/describe-expiry.ts';
import { binlogCall, configOption } from './binlog-call.ts';

type Archive = typeof import('@backupx/engine/binlog-archive');
type ArchiveSummary = Awaited<ReturnType<Archive['listBinlogs']>>;
type LogExpiry = Awaited<ReturnType<Archive['expireBinlogs']>>;
type LogVerdict = Awaited<ReturnType<Archive['verifyBinlogs']>>;

const DAMAGED = 8;

/** `backupx binlog list` */
export function addListCommand(binlog: Command, context: CommandContext): void {
  addLook(binlog, context, {
    ...{ name: 'list', description: 'Logs, their times and transactions, gaps', configOption },
    run: async (flags) =>
      (await import('@backupx/engine/binlog-archive')).listBinlogs(binlogCall(flags.config, context)),
    text: summaryText,
  });
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

interface VerifyFlags extends LookFlags {
  readonly from?: string;
}

/** `backupx binlog verify` */
export function addVerifyCommand(binlog: Command, context: CommandContext): void {
  const command = addLook<VerifyFlags, LogVerdict>(binlog, context, {
    ...{ name: 'verify', description: 'Read every event of every log; name what is missing or damaged', configOption },
    run: async ({ config, from = null }) =>
      (await import('@backupx/engine/binlog-archive')).verifyBinlogs(binlogCall(config, context), { from }),
    text: verdictText,
    code: (verdict) => (verdict.isWhole ? 0 : DAMAGED),
  })
    .option('--from <log>', 'begin with this log')
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

interface ExpireFlags extends LookFlags {
  readonly before?: string;
  readonly inventory: readonly string[];
  readonly delete?: boolean;
}

/** `backupx binlog expire` */
export function addExpireCommand(binlog: Command, context: CommandContext): void {
  const command = addLook<ExpireFlags, LogExpiry>(binlog, context, {
    ...{
      name: 'expire',
      description: 'Delete logs that no backup needs; without --delete only say which',
      configOption,
    },
    run: async ({ config, before = null, inventory: inventories, delete: isDeleting = false }) => {
      const { expireBinlogs } = await import('@backupx/engine/binlog-archive');
      return await expireBinlogs(binlogCall(config, context), { before, inventories, isDeleting });
    },
    text: expiryText,
  })
    .option('--inventory <file>', 'inventory.json of a backup that is kept; repeat for each', collect, [])
    .option('--before <log>', 'or: what comes before this log')
    .option('--delete', 'do it');
  withExamples(
    command,
    'backupx binlog expire --config /etc/backupx/binlog.conf --inventory monday.json --inventory sunday.json --delete',
  );
}

function expiryText({ keptFrom, logs, sizeBytes, isDeleted }: LogExpiry): string {
  return describeExpiry({ names: logs, what: formatCount(logs.length, 'log'), sizeBytes, isDeleted, keptFrom });
}
