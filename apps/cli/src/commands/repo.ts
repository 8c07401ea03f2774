import type { Command } from 'commander';
import { type CommandContext, type EngineSettings, withExamples } from '../command-context.ts';
import { parseCount, parseDuration, parseNice } from '../parse-argument.ts';
import { addBackupCommand } from '../repo/backup.ts';
import { addDiffCommand, addFindCommand, addLsCommand } from '../repo/browse.ts';
import { addCopyCommand } from '../repo/copy.ts';
import { addDumpCommand } from '../repo/dump.ts';
import { addForgetCommand } from '../repo/forget.ts';
import { addKeyCommand } from '../repo/keys.ts';
import { addKitCommand } from '../repo/kit.ts';
import { addCheckCommand, addPruneCommand, addRepairCommand } from '../repo/maintain.ts';
import { addRestoreCommand } from '../repo/restore.ts';
import { addAdoptCommand, addInitCommand, addSnapshotsCommand } from '../repo/snapshots.ts';
import { addUnlockCommand } from '../repo/unlock.ts';

/** `backupx repo …`: work on a repository directly, without a master. */
export function addRepoCommand(program: Command, context: CommandContext): void {
  const repo = program
    .command('repo')
    .description('Work on a repository without a master (one of restic, too)')
    .option('--storage-patience <time>', 'wait so long for a storage that does not answer (default 15m)', parseDuration)
    .option('--threads <count>', 'threads that compress and encrypt (default: one per core)', parseCount)
    .option('--nice <level>', 'let other programs go first, 0 to 19', parseNice)
    .addHelpText(
      'after',
      '\nBACKUPX_REPO and BACKUPX_REPO_PASSWORD_FILE stand in for --repo and --password-file. Access keys of a storage come\nfrom AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or --credentials-file.',
    );
  withExamples(
    repo,
    'backupx repo init --repo /mnt/backup/web',
    'backupx repo backup /srv/www --repo /mnt/backup/web',
    'backupx repo restore latest:/srv/www/index.html --target /tmp/back --repo /mnt/backup/web',
  );
  // Understood before and after the verb.
  const own: CommandContext = {
    ...context,
    engineSettings: () => engineSettings(repo),
  };
  for (const add of [
    addInitCommand,
    addAdoptCommand,
    addBackupCommand,
    addSnapshotsCommand,
    addLsCommand,
    addFindCommand,
    addDiffCommand,
    addDumpCommand,
    addRestoreCommand,
    addForgetCommand,
    addPruneCommand,
    addCheckCommand,
    addRepairCommand,
    addCopyCommand,
    addKeyCommand,
    addUnlockCommand,
    addKitCommand,
  ]) {
    add(repo, own);
  }
}

function engineSettings(repo: Command): EngineSettings {
  const { storagePatience, threads, nice } = repo.opts<{ storagePatience?: number; threads?: number; nice?: number }>();
  return {
    ...(storagePatience !== undefined && { storagePatienceMs: storagePatience }),
    ...(threads !== undefined && { compressionParallelism: threads }),
    ...(nice !== undefined && { nice }),
  };
}
