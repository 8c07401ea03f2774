/** Backups and restores of any source, in both modes, into folders of this machine. */
import { mkdirSync } from 'node:fs';
import type {
  DriverSettings,
  JobTarget,
  RunBackupJob,
  RunBackupResult,
  RunRestoreJob,
  RunRestoreResult,
  StoredArtifact,
} from '@backupx/contracts/jobs';
import { initJob, type JobRunner, repositoryAt } from './repository.ts';
import type { WorkFolder } from './work-folder.ts';

export type BackupMode = 'archive' | 'repository';
export const backupModes: readonly BackupMode[] = ['archive', 'repository'];

type RestoreChoice = Partial<Pick<RunRestoreJob, 'options' | 'targetPath' | 'paths' | 'overwrite' | 'dryRun'>>;

export interface SourceJobs {
  /** The job of a backup; for a process of its own, see `startJob`. */
  backupJob(source: DriverSettings): RunBackupJob;
  backup(source: DriverSettings): Promise<RunBackupResult>;
  /** Restores to the original place unless told otherwise. */
  restore(source: DriverSettings, result: RunBackupResult, more?: RestoreChoice): Promise<RunRestoreResult>;
  restoreJob(source: DriverSettings, result: RunBackupResult, more?: RestoreChoice): RunRestoreJob;
  artifactOf(result: RunBackupResult): StoredArtifact;
  /** Folder of the artifacts or of the repository. */
  readonly store: string;
}

/** Makes the place backups of this mode go to. */
export async function createSourceJobs(runner: JobRunner, work: WorkFolder, mode: BackupMode): Promise<SourceJobs> {
  const store = work.at(`store-${mode}`);
  mkdirSync(store, { recursive: true });
  const repository = repositoryAt(store);
  if (mode === 'repository') await runner.run(initJob(repository));
  const target: JobTarget = repository.target;
  let recordId = 0;

  function artifactOf(result: RunBackupResult): StoredArtifact {
    return {
      target,
      storagePath: result.storagePath,
      contentsPath: result.contentsPath,
      fileName: result.fileName,
      checksum: result.checksum,
      fileSize: result.fileSize,
      encryption: null,
      snapshot: result.snapshot ? { repository, snapshotId: result.snapshot.snapshotId } : null,
    };
  }

  function backupJob(source: DriverSettings): RunBackupJob {
    recordId += 1;
    return {
      ...{ kind: 'run_backup', taskId: 1, recordId, taskName: 'databases', source, targets: [target] },
      ...{ compression: 'zstd', encryption: null, keyPrefix: `r${recordId}`, baseName: 'backup' },
      bandwidthBytesPerSecond: 0,
      ...(mode === 'repository' ? { repositories: [repository] } : {}),
      snapshot: { hostname: 'tests', tags: [], parentId: null, dryRun: false },
    };
  }

  function restoreJob(source: DriverSettings, result: RunBackupResult, more: RestoreChoice = {}): RunRestoreJob {
    return {
      ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'databases', source },
      artifact: artifactOf(result),
      ...{ targetPath: null, paths: null, overwrite: 'always', ...more },
    };
  }

  return {
    store,
    artifactOf,
    backupJob,
    backup: (source) => runner.run(backupJob(source)),
    restoreJob,
    restore: (source, result, more) => runner.run(restoreJob(source, result, more)),
  };
}
