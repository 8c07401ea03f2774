import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount } from '../output/format.ts';
import { collect } from '../parse-argument.ts';
import { describeProblems, withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { json } from './snapshots.ts';

interface BackupOptions extends RepositoryOptions {
  readonly exclude?: string[];
  readonly oneFileSystem?: boolean;
  readonly tag?: string[];
  readonly host?: string;
  readonly parent?: string;
  readonly dryRun?: boolean;
}

export function addBackupCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('backup')
    .argument('<paths...>', 'folders and files')
    .description('Save folders and files as a new snapshot')
    .option('-e, --exclude <pattern>', 'leave out, as in .gitignore (repeatable)', collect)
    .option('-x, --one-file-system', 'stay on one file system')
    .option('--tag <tag>', 'mark the snapshot (repeatable)', collect)
    .option('--host <name>', 'host name in the snapshot (default: of this machine)')
    .option('--parent <snapshot>', 'compare with this one (default: the newest of the same host and paths)')
    .option('-n, --dry-run', 'read and compare, store nothing');
  withRepository(command).action(
    act(context, (paths: string[], options: BackupOptions) => backup(context, paths, options)),
  );
  withExamples(command, 'backupx repo backup /srv/www', "backupx repo backup /home --exclude '.cache/' --tag daily");
}

async function backup(context: CommandContext, paths: string[], options: BackupOptions): Promise<number> {
  const repository = await readAccess(options);
  const config = {
    paths: paths.map((path) => resolve(path)),
    excludePatterns: options.exclude ?? [],
    oneFileSystem: options.oneFileSystem === true,
  };
  const snapshot = {
    hostname: options.host ?? hostname(),
    tags: options.tag ?? [],
    parentId: options.parent ?? null,
    dryRun: options.dryRun === true,
  };
  const result = await withEngine(context, (session) =>
    session.run(
      {
        kind: 'run_backup',
        taskId: 1,
        recordId: 1,
        taskName: 'backup',
        source: { type: 'file', config },
        targets: [repository.target],
        compression: 'zstd',
        encryption: null,
        keyPrefix: '',
        baseName: '',
        bandwidthBytesPerSecond: 0,
        repositories: [repository],
        snapshot,
      },
      'backup',
    ),
  );
  if (options.json) context.terminal.data(json(result));
  else for (const line of describe(result, snapshot.dryRun)) context.terminal.say(line);
  return result.status === 'success' ? 0 : 3;
}

function describe(result: RunBackupResult, isDryRun: boolean): string[] {
  const { snapshot } = result;
  if (!snapshot) return [];
  const { filesNew, filesChanged, filesUnmodified, bytesAdded, bytesStored } = snapshot;
  const count = (value: number) => value.toLocaleString('en-US');
  return [
    `${formatCount(result.itemCount, 'item')}, ${formatBytes(result.sourceBytes)}: ` +
      `${count(filesNew)} new, ${count(filesChanged)} changed, ${count(filesUnmodified)} unmodified files`,
    `${formatBytes(bytesAdded)} new data, ${formatBytes(bytesStored)} stored${describeProblems(result.problemCount)}`,
    isDryRun ? 'Nothing was stored (--dry-run).' : `Snapshot ${snapshot.snapshotId.slice(0, 8)} saved.`,
  ];
}
