import { AppError } from '@backupx/contracts/errors';
import type { CheckRepositoryJob, CheckRepositoryResult, PruneRepositoryResult } from '@backupx/contracts/jobs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, printable } from '../output/format.ts';
import { parseSize } from '../parse-argument.ts';
import { type EngineSession, withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { json } from './snapshots.ts';

const SHOWN_PROBLEMS = 50;

interface CheckOptions extends RepositoryOptions {
  readonly readData?: boolean;
  readonly readDataSubset?: { n: number; of: number };
}

export function addCheckCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('check')
    .description('Look whether everything is there and whole')
    .option('--read-data', 'read every byte, not only index, snapshots and folders')
    .option('--read-data-subset <n/t>', 'read the n-th of t parts of the data', parseShare);
  withRepository(command).action(act(context, (options: CheckOptions) => check(context, options)));
  withExamples(command, 'backupx repo check', 'backupx repo check --read-data-subset 3/7');
}

function parseShare(text: string): { n: number; of: number } {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [n, of] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || n < 1 || of < n) throw new InvalidArgumentError('Expected something like 3/7.');
  return { n, of };
}

async function check(context: CommandContext, options: CheckOptions): Promise<number> {
  const { terminal } = context;
  const repository = await readAccess(options);
  const read: CheckRepositoryJob['read'] = options.readDataSubset ?? (options.readData ? 'all' : 'structure');
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'check_repository', repository, read }, 'check'),
  );
  if (options.json) terminal.data(json(result));
  else describeCheck(context, result);
  return result.status === 'clean' ? 0 : 8;
}

function describeCheck({ terminal }: CommandContext, result: CheckRepositoryResult): void {
  const shown = result.problems.slice(0, SHOWN_PROBLEMS);
  for (const { level, message, object, paths } of shown) {
    terminal.data(printable(`${level}: ${object}: ${message}`));
    for (const path of paths.slice(0, 10)) terminal.data(printable(`  ${path}`));
  }
  if (result.problemCount > shown.length) terminal.data(`and ${result.problemCount - shown.length} more`);
  const extent = `${formatCount(result.packCount, 'pack')}, ${formatCount(result.blobCount, 'blob')}`;
  terminal.say(`${extent}, ${formatBytes(result.bytesRead)} read`);
  const intact = result.intactSnapshotIds.length;
  if (result.status === 'clean') terminal.say(`No errors. ${formatCount(intact, 'snapshot')} can be restored whole.`);
  else terminal.say(`Damaged. ${intact} of ${formatCount(result.snapshotCount, 'snapshot')} can be restored whole.`);
}

export interface PruneOptions extends RepositoryOptions {
  readonly maxUnused: number;
  readonly maxRepack?: number;
  readonly dryRun?: boolean;
}

export function addPruneCommand(repo: Command, context: CommandContext): void {
  const command = repo.command('prune').description('Free the space of what no snapshot needs any more');
  withRepository(withPruneOptions(command))
    .option('-n, --dry-run', 'say what would be freed, change nothing')
    .action(
      act(context, async (options: PruneOptions) => {
        const repository = await readAccess(options);
        const result = await withEngine(context, (session) => prune(session, repository, options));
        if (options.json) context.terminal.data(json(result));
        else context.terminal.say(describePrune(result, options.dryRun === true));
        return 0;
      }),
    );
  withExamples(command, 'backupx repo prune', 'backupx repo prune --max-unused 0 --dry-run');
}

export function withPruneOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--max-unused <percent>', 'share of unused bytes that may stay')
        .argParser(parsePercent)
        .default(0.05, '5'),
    )
    .addOption(
      new Option(
        '--max-repack <bytes>',
        'write at most so much anew, e.g. 10G; 0: nothing, for a full storage (default: no limit)',
      ).argParser(parseSize),
    );
}

function parsePercent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d+)?)%?$/.exec(text);
  const share = Number(match?.[1]) / 100;
  if (!match || share > 1) throw new InvalidArgumentError('Expected a percentage from 0 to 100.');
  return share;
}

export function prune(
  session: EngineSession,
  repository: Awaited<ReturnType<typeof readAccess>>,
  options: PruneOptions,
): Promise<PruneRepositoryResult> {
  const limits = { maxUnusedShare: options.maxUnused, maxRepackBytes: options.maxRepack ?? null };
  const mode = { dryRun: options.dryRun === true, phase: 'exclusive', youngerLeases: [] } as const;
  return session.run({ kind: 'prune_repository', repository, ...limits, ...mode, youngerLeases: [] }, 'prune');
}

export function describePrune(result: PruneRepositoryResult, isDryRun: boolean): string {
  const packs = `${result.packsRemoved} of ${formatCount(result.packsBefore, 'pack')} ${isDryRun ? 'would be ' : ''}removed`;
  const left = `${formatBytes(result.bytesUnusedLeft)} unused left`;
  // Packing anew a little may take more than it frees.
  const freed = formatBytes(Math.max(0, result.bytesFreed));
  return `${packs}, ${result.packsRepacked} written anew, ${freed} freed, ${left}`;
}

interface RepairOptions extends RepositoryOptions {
  readonly forget?: boolean;
  readonly readAllPacks?: boolean;
  readonly dryRun?: boolean;
}

export function addRepairCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('repair')
    .argument('<what>', '"index": build it anew from the data; "snapshots": rewrite damaged ones without what is lost')
    .description('Mend what "backupx repo check" found damaged')
    .option('--read-all-packs', 'with "index": verify every byte and leave out what is damaged')
    .option('--forget', 'with "snapshots": remove the damaged originals')
    .option('-n, --dry-run', 'say what would be changed, change nothing');
  withRepository(command).action(
    act(context, (what: string, options: RepairOptions) => repair(context, what, options)),
  );
  withExamples(command, 'backupx repo repair index', 'backupx repo repair snapshots --dry-run');
}

async function repair(context: CommandContext, what: string, options: RepairOptions): Promise<number> {
  if (what !== 'index' && what !== 'snapshots') {
    const fields = [{ path: 'what', code: 'choice', message: 'Expected "index" or "snapshots".' }];
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  const repository = await readAccess(options);
  const mode = {
    forget: options.forget === true,
    readAllPacks: options.readAllPacks === true,
    dryRun: options.dryRun === true,
  };
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'repair_repository', repository, what, ...mode }, 'repair'),
  );
  if (options.json) context.terminal.data(json(result));
  else {
    for (const change of result.changes) context.terminal.data(printable(change));
    if (result.changes.length === 0) context.terminal.say('Nothing needs to be mended.');
  }
  return 0;
}
