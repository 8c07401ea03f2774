import { resolve } from 'node:path';
import { type OverwriteMode, overwriteModeSchema, type RunRestoreResult } from '@backupx/contracts/jobs';
import { type Command, Option } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount } from '../output/format.ts';
import { collect } from '../parse-argument.ts';
import { describeProblems, withEngine } from './engine-session.ts';
import { missing, type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { parseSnapshotPlace, snapshotArtifact } from './snapshot-place.ts';
import { json } from './snapshots.ts';

interface RestoreOptions extends RepositoryOptions {
  readonly target?: string;
  readonly path?: string[];
  readonly overwrite: OverwriteMode;
  readonly dryRun?: boolean;
}

export function addRestoreCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('restore')
    .argument('<snapshot[:path]>', 'id, its beginning or "latest"; a file or folder in it')
    .description('Get files back')
    .option('-t, --target <folder>', 'restore below this folder')
    .option('--path <path>', 'only this file or folder, as it was named at the source (repeatable)', collect)
    .addOption(
      new Option('--overwrite <mode>', 'what happens to files that are there already')
        .choices(overwriteModeSchema.options)
        .default('never' satisfies OverwriteMode),
    )
    .option('-n, --dry-run', 'say what would be written, write nothing');
  withRepository(command).action(
    act(context, (text: string, options: RestoreOptions) => restore(context, text, options)),
  );
  withExamples(
    command,
    'backupx repo restore latest --target /tmp/back',
    'backupx repo restore 3f2a:/srv/www --target /tmp/back --overwrite if_newer',
  );
}

async function restore(context: CommandContext, text: string, options: RestoreOptions): Promise<number> {
  if (!options.target) throw missing('--target', 'say where to: --target <folder>');
  const { snapshotId, path } = parseSnapshotPlace(text);
  const paths = [...(path === null ? [] : [path]), ...(options.path ?? [])];
  const targetPath = resolve(options.target);
  const repository = await readAccess(options);
  const result = await withEngine(context, (session) =>
    session.run(
      {
        kind: 'run_restore',
        restoreRecordId: 1,
        recordId: 1,
        taskName: 'restore',
        source: { type: 'file', config: { paths: paths.length > 0 ? paths : ['/'] } },
        artifact: snapshotArtifact(repository, snapshotId),
        targetPath,
        paths: paths.length > 0 ? paths : null,
        overwrite: options.overwrite,
        dryRun: options.dryRun === true,
      },
      'restore',
    ),
  );
  if (options.json) context.terminal.data(json(result));
  else context.terminal.say(describe(result, options.dryRun === true));
  return result.status === 'success' ? 0 : 3;
}

function describe(result: RunRestoreResult, isDryRun: boolean): string {
  const written = `${formatCount(result.itemsWritten, 'item')} ${isDryRun ? 'would be written' : 'written'}`;
  const skipped = result.itemsSkipped > 0 ? `, ${result.itemsSkipped.toLocaleString('en-US')} left alone` : '';
  return `${written} (${formatBytes(result.bytesWritten)})${skipped}${describeProblems(result.problemCount)}`;
}
