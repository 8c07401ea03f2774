/** `--wait`: live progress until the run has ended, its summary, its exit code; Ctrl-C leaves it running. */
import { type BackupRecord, type RestoreRecord, recordRoutes, restoreRoutes } from '@backupx/contracts/api/records';
import type { ApiClient } from './api/api-client.ts';
import { type FollowOptions, followBackup, followRestore } from './api/follow-run.ts';
import type { CommandContext } from './command-context.ts';
import { formatBytes, formatCount, formatDuration, printable } from './output/format.ts';
import { createProgressLine } from './output/progress-line.ts';
import { exitCodeOfRun } from './output/report-error.ts';

export interface WaitOptions {
  readonly id: number;
  readonly label: string;
  readonly json?: boolean;
  readonly cancelOnInterrupt?: boolean;
}

export function waitForBackup(context: CommandContext, client: ApiClient, options: WaitOptions): Promise<number> {
  return waitForRun(context, options, {
    follow: (followOptions) => followBackup(client, options.id, followOptions),
    cancel: () => client.call(recordRoutes.cancel, { params: { id: options.id } }),
    describe: describeBackup,
    comeBack: `backupx run wait ${options.id}`,
  });
}

export function waitForRestore(context: CommandContext, client: ApiClient, options: WaitOptions): Promise<number> {
  return waitForRun(context, options, {
    follow: (followOptions) => followRestore(client, options.id, followOptions),
    cancel: () => client.call(restoreRoutes.cancel, { params: { id: options.id } }),
    describe: describeRestore,
    comeBack: `the console, restore ${options.id}`,
  });
}

interface RunKind<T> {
  follow(options: FollowOptions): Promise<T>;
  cancel(): Promise<unknown>;
  describe(run: T): string;
  readonly comeBack: string;
}

async function waitForRun<T extends BackupRecord | RestoreRecord>(
  context: CommandContext,
  options: WaitOptions,
  kind: RunKind<T>,
): Promise<number> {
  const { terminal } = context;
  const line = createProgressLine(printable(options.label), terminal, context.monotonicMs);
  const leaving = new AbortController();
  const onInterrupt = () => {
    if (options.cancelOnInterrupt && !isCancelling) {
      isCancelling = true;
      terminal.say('Cancelling…');
      kind.cancel().catch((error: Error) => terminal.say(`Cancelling failed: ${error.message}`));
    } else {
      leaving.abort();
    }
  };
  let isCancelling = false;
  process.on('SIGINT', onInterrupt);
  try {
    const run = await kind.follow({ onProgress: (progress) => line.show(progress), signal: leaving.signal });
    line.clear();
    if (options.json) terminal.data(JSON.stringify(run, null, 2));
    reportEnd(context, run, kind.describe(run));
    return exitCodeOfRun(run);
  } catch (error) {
    line.clear();
    if (!leaving.signal.aborted) throw error;
    terminal.say(`Still running; see ${kind.comeBack}.`);
    return 130;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** The summary of a run that has ended, with its problems. */
export function reportEnd(context: CommandContext, run: BackupRecord | RestoreRecord, summary: string): void {
  const { terminal } = context;
  terminal.say(printable(summary));
  const shown = run.problems.slice(0, 10);
  for (const problem of shown) terminal.say(printable(`  ${problem.path}: ${problem.message}`));
  if (run.problemCount > shown.length) terminal.say(`  and ${run.problemCount - shown.length} more`);
  if (run.errorMessage) terminal.say(printable(run.errorMessage));
  if (run.errorHint) terminal.say(printable(run.errorHint));
}

export function describeBackup(run: BackupRecord): string {
  const head = `Backup ${run.id} of ${run.taskName}: ${run.status}`;
  if (run.status !== 'success' && run.status !== 'warning') return head;
  const stored = `${formatCount(run.itemCount, 'item')}, ${formatBytes(run.sourceBytes)} read, ${formatBytes(run.fileSize)} stored`;
  const problems = run.problemCount > 0 ? `, ${formatCount(run.problemCount, 'problem')}` : '';
  return `${head}, ${stored} in ${formatDuration(run.durationSeconds)}${problems}`;
}

export function describeRestore(run: RestoreRecord): string {
  const written = `${formatCount(run.itemsWritten, 'item')} written (${formatBytes(run.bytesWritten)})`;
  const skipped = run.itemsSkipped > 0 ? `, ${run.itemsSkipped} left alone` : '';
  return `Restore ${run.id}: ${run.status}, ${written}${skipped}, ${formatCount(run.problemCount, 'problem')}`;
}
