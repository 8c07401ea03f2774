import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import { type CommandContext, jsonFlag, withExamples } from '../command-context.ts';
import { formatTable } from '../output/format.ts';
import { collect } from '../parse-argument.ts';
import { actOnArchive } from '../wal/wal-call.ts';
import { binlogCall, configOption } from './binlog-call.ts';

type ReplayResult = Awaited<ReturnType<typeof import('@backupx/engine/binlog-archive')['replayBinlogs']>>;

interface ReplayFlags {
  readonly config: string;
  readonly from?: string;
  readonly inventory?: string;
  readonly until?: string;
  readonly untilPosition?: string;
  readonly database?: string;
  readonly rewriteDb: readonly string[];
  readonly sameServer?: boolean;
  readonly acceptEnd?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `backupx binlog replay` */
export function addReplayCommand(binlog: Command, context: CommandContext): void {
  const command = binlog
    .command('replay')
    .description('Replay archived logs into a server, from a backup up to a moment')
    .requiredOption(...configOption)
    .option('--inventory <file>', 'inventory.json of the backup that was restored: where to begin')
    .option('--from <place>', 'where to begin, such as bin.000041:328')
    .option('--until <time>', 'leave out what happened then or later, such as 2026-05-01T11:59:00Z')
    .option('--until-position <place>', 'end there, such as bin.000042:5120')
    .option('--database <name>', 'only changes of this database, by its name in the log')
    .option('--rewrite-db <old->new>', 'replay under another name; repeat for more', collect, [])
    .option('--same-server', 'with --rewrite-db: into the server of the logs, when no other target is set')
    .option('--accept-end', 'replay all there is although the archive ends before --until')
    .option('--dry-run', 'look through the logs, and only tell which would be replayed')
    .option(...jsonFlag)
    .action(
      actOnArchive(context, async (flags: ReplayFlags) => {
        const { replayBinlogs } = await import('@backupx/engine/binlog-archive');
        const result = await replayBinlogs(binlogCall(flags.config, context), {
          from: flags.from ?? null,
          inventory: flags.inventory ?? null,
          untilTime: flags.until === undefined ? null : parseTime(flags.until),
          untilPosition: flags.untilPosition ?? null,
          database: flags.database ?? null,
          rewrites: flags.rewriteDb,
          isSameServerAccepted: flags.sameServer ?? false,
          isEndAccepted: flags.acceptEnd ?? false,
          isDryRun: flags.dryRun ?? false,
        });
        context.terminal.data(flags.json ? JSON.stringify(result, null, 2) : resultText(result));
        return 0;
      }),
    );
  command.addHelpText(
    'after',
    '\nExit codes: 0 done, 2 nothing lies between start and end, 6 the start is not in the archive, 8 the archive does not hold all of it, 13 --rewrite-db cannot rename all of it.',
  );
  withExamples(
    command,
    'backupx binlog replay --config /etc/backupx/binlog.conf --inventory inventory.json --until 2026-05-01T11:59:00Z --dry-run',
    "backupx binlog replay --config /etc/backupx/binlog.conf --from bin.000041:328 --database shop --rewrite-db 'shop->shop2'",
  );
}

/** A moment must say its zone: the server, this machine and its user may be of three. */
function parseTime(text: string): Date {
  const time = new Date(text.replace(' ', 'T'));
  if (!Number.isNaN(time.getTime()) && /(?:Z|[+-]\d{2}:?\d{2})$/.test(text)) return time;
  const message = 'must be a time with its zone, such as 2026-05-01T11:59:00Z or 2026-05-01T13:59:00+02:00';
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--until', code: 'invalid', message }] });
}

function resultText({ ranges, isDone, endsEarlyAt }: ReplayResult): string {
  const rows = ranges.map((range) => [
    range.isPartial ? `${range.name} (being written)` : range.name,
    String(range.from),
    String(range.to),
    range.firstAt,
    range.lastAt,
  ]);
  const table = formatTable([['log', 'from', 'to', 'first event', 'last event'], ...rows]).trimEnd();
  const warning =
    endsEarlyAt === null ? '' : `\nThe archive ends at ${endsEarlyAt}, before the moment that was asked for.`;
  return `${table}${warning}\n${isDone ? 'All of it was replayed.' : 'Nothing was replayed (dry run).'}`;
}
