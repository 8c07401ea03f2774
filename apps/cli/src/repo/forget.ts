import type { ForgetSnapshotsResult, KeepPolicy } from '@backupx/contracts/jobs';
import { type Command, InvalidArgumentError } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatCount, formatTable } from '../output/format.ts';
import { collect, parseCount } from '../parse-argument.ts';
import { type EngineSession, withEngine } from './engine-session.ts';
import { describePrune, type PruneOptions, prune, withPruneOptions } from './maintain.ts';
import { missing, readAccess, withRepository } from './repository-options.ts';
import { json, snapshotHeading, snapshotRow } from './snapshots.ts';

interface ForgetOptions extends PruneOptions {
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepWithin?: number;
  readonly keepTag?: string[];
  readonly prune?: boolean;
}

export function addForgetCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('forget')
    .argument('[snapshots...]', 'ids, beginnings of ids or "latest"; or say with --keep-… what stays')
    .description('Remove snapshots; "prune" then frees the space');
  for (const period of ['hourly', 'daily', 'weekly', 'monthly', 'yearly']) {
    command.option(`--keep-${period} <count>`, `keep so many ${period} snapshots`, parseCount);
  }
  command
    .option('--keep-last <count>', 'keep so many of the newest', parseCount)
    .option('--keep-within <time>', 'keep what is younger, counted from the newest, e.g. 48h, 14d, 3m, 1y', parseHours)
    .option('--keep-tag <tag>', 'keep what has this tag (repeatable)', collect)
    .option('--prune', 'free the space at once')
    .option('-n, --dry-run', 'say what would be removed, remove nothing');
  withRepository(withPruneOptions(command)).action(
    act(context, (ids: string[], options: ForgetOptions) => forget(context, ids, options)),
  );
  withExamples(
    command,
    'backupx repo forget --keep-last 3 --keep-daily 7 --keep-monthly 12 --dry-run',
    'backupx repo forget 3f2a 9c01 --prune',
  );
}

const hoursOf: Readonly<Record<string, number>> = { h: 1, d: 24, w: 168, m: 720, y: 8760 };

/** `1y5m7d2h`, months of 30 and years of 365 days. */
function parseHours(text: string): number {
  if (!/^(\d{1,5}[hdwmy])+$/.test(text)) throw new InvalidArgumentError('Expected a time like 48h, 14d or 1y6m.');
  return [...text.matchAll(/(\d+)([hdwmy])/g)].reduce(
    (sum, part) => sum + Number(part[1]) * (hoursOf[part[2] ?? ''] ?? 0),
    0,
  );
}

function policyOf(options: ForgetOptions): KeepPolicy | null {
  const policy = {
    last: options.keepLast ?? 0,
    hourly: options.keepHourly ?? 0,
    daily: options.keepDaily ?? 0,
    weekly: options.keepWeekly ?? 0,
    monthly: options.keepMonthly ?? 0,
    yearly: options.keepYearly ?? 0,
    withinHours: options.keepWithin ?? 0,
    tags: options.keepTag ?? [],
  };
  return Object.values(policy).some((value) => (Array.isArray(value) ? value.length > 0 : value > 0)) ? policy : null;
}

async function forget(context: CommandContext, ids: string[], options: ForgetOptions): Promise<number> {
  const { terminal } = context;
  const policy = policyOf(options);
  if (ids.length > 0 === (policy !== null)) {
    throw missing('snapshots', 'say what goes: either ids, or what stays with --keep-last, --keep-daily and so on');
  }
  const repository = await readAccess(options);
  const dryRun = options.dryRun === true;
  const work = async (session: EngineSession) => {
    const chosen = { snapshotIds: policy ? null : ids, policy, lockedIds: [], dryRun };
    const forgotten = await session.run({ kind: 'forget_snapshots', repository, ...chosen }, 'forget');
    const pruned = options.prune && !dryRun ? await prune(session, repository, options) : null;
    return { ...forgotten, pruned };
  };
  const { pruned, ...forgotten } = await withEngine(context, work);
  if (options.json) terminal.data(json(pruned ? { ...forgotten, pruned } : forgotten));
  else {
    describeForget(context, forgotten, { isDryRun: dryRun, isPruned: pruned !== null });
    if (pruned) terminal.say(describePrune(pruned, false));
  }
  return 0;
}

function describeForget(
  context: CommandContext,
  { removed, kept }: ForgetSnapshotsResult,
  { isDryRun, isPruned }: { readonly isDryRun: boolean; readonly isPruned: boolean },
): void {
  const { terminal } = context;
  const rows = [
    ...kept.map((snapshot) => ['keep', ...snapshotRow(context, snapshot), snapshot.reasons.join(', ')]),
    ...removed.map((snapshot) => ['remove', ...snapshotRow(context, snapshot), '']),
  ];
  if (rows.length > 0) terminal.data(formatTable([['', ...snapshotHeading, 'WHY'], ...rows]));
  terminal.say(
    `${formatCount(removed.length, 'snapshot')} ${isDryRun ? 'would be ' : ''}removed, ${kept.length} kept` +
      `${isDryRun || isPruned || removed.length === 0 ? '' : '; "backupx repo prune" frees the space'}`,
  );
}
