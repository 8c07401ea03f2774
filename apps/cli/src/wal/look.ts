/** What is in an archive, whether it is whole, and what may go. */
import type { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, formatTable } from '../output/format.ts';
import { parseCount } from '../parse-argument.ts';
import { addLook, type LookFlags } from './add-look.ts';
import { describeExpiry } from './describe-expiry.ts';
import { configOption, walCall } from './wal-call.ts';

type Archive = typeof import('@backupx/engine/wal-archive');
type ArchiveSummary = Awaited<ReturnType<Archive['listWal']>>;
type WalVerdict = Awaited<ReturnType<Archive['verifyWal']>>;
type Expiry = Awaited<ReturnType<Archive['expireWal']>>;

const DAMAGED = 8;

/** `backupx wal list` */
export function addListCommand(wal: Command, context: CommandContext): void {
  addLook(wal, context, {
    ...{ name: 'list', description: 'Timelines, ranges of segments, gaps, base backups', configOption },
    run: async (flags) => (await import('@backupx/engine/wal-archive')).listWal(walCall(flags.config)),
    text: summaryText,
  });
}

function summaryText(summary: ArchiveSummary): string {
  const { timelines, backups, partials } = summary;
  const rows = timelines.map((item) => [
    String(item.timeline),
    item.first,
    item.last,
    String(item.segments),
    item.missing === 0 ? '-' : String(item.missing),
    formatBytes(item.sizeBytes),
    item.lastStoredAt ?? '-',
  ]);
  const heading = ['timeline', 'first segment', 'last segment', 'segments', 'missing', 'size', 'last stored'];
  const others = [...backups, ...partials].map((file) => [
    file.name,
    formatBytes(file.sizeBytes),
    file.storedAt ?? '-',
  ]);
  const table = others.length > 0 ? formatTable([['base backups, partial segments', 'size', 'stored'], ...others]) : '';
  const about = `cluster ${summary.systemIdentifier}, segments of ${formatBytes(summary.segmentBytes)}\n`;
  return `${about}\n${formatTable([heading, ...rows])}${table && `\n${table}`}`;
}

interface VerifyFlags extends LookFlags {
  readonly from?: string;
  readonly deep?: boolean;
}

/** `backupx wal verify` */
export function addVerifyCommand(wal: Command, context: CommandContext): void {
  const command = addLook<VerifyFlags, WalVerdict>(wal, context, {
    ...{ name: 'verify', description: 'Name every segment that is missing or damaged', configOption },
    run: async ({ config, from = null, deep = false }) =>
      (await import('@backupx/engine/wal-archive')).verifyWal(walCall(config), { from, isDeep: deep }),
    text: verdictText,
    code: (verdict) => (verdict.isWhole ? 0 : DAMAGED),
  })
    .option('--from <segment>', 'begin there: a segment, the label of a base backup, or a place such as 0/3000028')
    .option('--deep', 'read every file')
    .addHelpText(
      'after',
      `\nExit codes: 0 whole, ${DAMAGED} something is missing or damaged, or --deep could not read it.`,
    );
  withExamples(
    command,
    'backupx wal verify --config /etc/backupx/wal.conf',
    'backupx wal verify --config /etc/backupx/wal.conf --from 0/3000028 --deep',
  );
}

function verdictText(verdict: WalVerdict): string {
  const range = verdict.first === null ? '' : `, ${verdict.first} to ${verdict.last}`;
  const lines = [`${formatCount(verdict.segments, 'segment')}${range}`];
  for (const { first, last, count } of verdict.missing) {
    lines.push(count === 1 ? `missing: ${first}` : `missing: ${first} to ${last} (${count})`);
  }
  lines.push(...verdict.damaged.map(({ name, reason }) => `damaged: ${name}: ${reason}`));
  lines.push(...verdict.unchecked.map(({ name, reason }) => `not checked: ${name}: ${reason}`));
  const isBroken = verdict.missing.length + verdict.damaged.length > 0;
  const failure = isBroken ? 'The archive is NOT whole.' : 'Not all of the archive could be checked.';
  lines.push(verdict.isWhole ? 'The archive is whole.' : failure);
  return lines.join('\n');
}

interface ExpireFlags extends LookFlags {
  readonly before?: string;
  readonly keepBackups?: number;
  readonly delete?: boolean;
  readonly force?: boolean;
}

/** `backupx wal expire` */
export function addExpireCommand(wal: Command, context: CommandContext): void {
  const command = addLook<ExpireFlags, Expiry>(wal, context, {
    ...{
      name: 'expire',
      description: 'Delete what no base backup needs; without --delete only say what',
      configOption,
    },
    run: async ({ config, before = null, keepBackups = null, delete: isDeleting = false, force: isForced = false }) => {
      const { expireWal } = await import('@backupx/engine/wal-archive');
      return await expireWal(walCall(config), { before, keepBackups, isDeleting, isForced });
    },
    text: expiryText,
  })
    .option('--before <segment>', 'what comes before this segment')
    .option('--keep-backups <count>', 'what the newest so many base backups do not need', parseCount)
    .option('--delete', 'do it')
    .option('--force', 'also what the newest base backup needs');
  withExamples(command, 'backupx wal expire --config /etc/backupx/wal.conf --keep-backups 2 --delete');
}

function expiryText({ keptFrom, files, sizeBytes, isDeleted }: Expiry): string {
  const what = formatCount(files.length, 'file');
  return describeExpiry({ names: files, what, sizeBytes, isDeleted, keptFrom: keptFrom.slice(8) });
}
