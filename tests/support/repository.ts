/** Our engine at work on repositories in folders of this machine: in this process, or in one that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { hostname } from 'node:os';
import path from 'node:path';
import { AppError, type AppErrorData } from '@backupx/contracts/errors';
import type {
  CheckRepositoryResult,
  CopySnapshotsResult,
  JobKind,
  JobOf,
  JobResults,
  RepositoryAccess,
  RunBackupJob,
  RunBackupResult,
  RunRestoreJob,
  RunRestoreResult,
} from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';

export const password = 'judge me by my bytes';

/** A repository at `folder`, as jobs name it. Its parent must exist. */
export function repositoryAt(folder: string, more: Partial<RepositoryAccess> = {}): RepositoryAccess {
  return {
    id: 0,
    target: {
      id: 1,
      name: path.basename(folder),
      type: 'local_disk',
      config: { basePath: folder, masterRelay: false },
      viaMaster: false,
    },
    prefix: '',
    unlock: { password },
    leaseId: 0,
    condemnedPacks: [],
    ...more,
  };
}

export const folderOf = (repository: RepositoryAccess): string => String(repository.target.config.basePath);

/** Runs jobs; `run` rejects with an AppError. */
export interface JobRunner {
  run<K extends JobKind>(job: JobOf<K>): Promise<JobResults[K]>;
}

/** Jobs in this process. */
export function createRunner(tempDir: string): JobRunner & { close(): Promise<void> } {
  const engine = createEngine({ tempDir, storageAttempts: 1 });
  const signal = new AbortController().signal;
  return {
    run: (job) => engine.run(job, { reporter: silentReporter, signal }),
    close: () => engine.close(5000),
  };
}

export interface JobChild<K extends JobKind> {
  readonly process: ChildProcess;
  /** The result; rejects with an AppError, or with an Error when the process ended without an answer. */
  readonly result: Promise<JobResults[K]>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

export interface ChildOptions {
  readonly tempDir: string;
  /** Modules loaded into every thread of the process before anything else. */
  readonly preload?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts one job in a process of its own. */
export function startJob<K extends JobKind>(job: JobOf<K>, options: ChildOptions): JobChild<K> {
  const script = path.join(import.meta.dirname, 'repository-child.ts');
  const preload = options.preload ? ['--import', path.join(import.meta.dirname, options.preload)] : [];
  const child = spawn(process.execPath, [...preload, script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${JSON.stringify({ tempDir: options.tempDir, job })}\n`);
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
  });
  const result = closed.then(() => {
    const answer = stdout === '' ? null : (JSON.parse(stdout) as { result?: JobResults[K]; error?: AppErrorData });
    if (answer?.error) throw AppError.fromJSON(answer.error);
    if (!answer?.result) throw new Error(`${job.kind} ended without an answer (${child.signalCode})\n${stderr}`);
    return answer.result;
  });
  result.catch(() => undefined);
  return {
    process: child,
    result,
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

/** Each job in a process of its own. */
export function createChildRunner(options: ChildOptions): JobRunner {
  return { run: (job) => startJob(job, options).result };
}

export function initJob(repository: RepositoryAccess, chunkerPolynomial: string | null = null) {
  return {
    kind: 'init_repository',
    target: repository.target,
    id: repository.id,
    prefix: repository.prefix,
    password: 'password' in repository.unlock ? repository.unlock.password : password,
    chunkerPolynomial,
    adopt: false,
    hostname: hostname(),
  } satisfies JobOf<'init_repository'>;
}

export interface BackupOptions {
  readonly hostname?: string;
  readonly tags?: string[];
  readonly parentId?: string | null;
  readonly dryRun?: boolean;
  readonly exclude?: string[];
}

export function backupJob(
  repositories: RepositoryAccess | readonly RepositoryAccess[],
  paths: readonly string[],
  options: BackupOptions = {},
): RunBackupJob {
  const all = Array.isArray(repositories) ? [...repositories] : [repositories];
  return {
    kind: 'run_backup',
    taskId: 1,
    recordId: 1,
    taskName: 'judge',
    source: {
      type: 'file',
      config: { paths: [...paths], excludePatterns: options.exclude ?? [], oneFileSystem: false },
    },
    targets: all.map((repository) => repository.target),
    compression: 'zstd',
    encryption: null,
    keyPrefix: 'unused',
    baseName: 'unused',
    bandwidthBytesPerSecond: 0,
    repositories: all,
    snapshot: {
      hostname: options.hostname ?? hostname(),
      tags: options.tags ?? [],
      parentId: options.parentId ?? null,
      dryRun: options.dryRun ?? false,
    },
  };
}

/** Runs a backup and answers its snapshot with the rest of the result. */
export async function backup(
  runner: JobRunner,
  ...job: Parameters<typeof backupJob>
): Promise<RunBackupResult & { snapshot: NonNullable<RunBackupResult['snapshot']> }> {
  const result = await runner.run(backupJob(...job));
  if (!result.snapshot) throw new Error('the backup tells of no snapshot');
  return { ...result, snapshot: result.snapshot };
}

export interface RestoreOptions {
  readonly paths?: string[] | null;
  readonly overwrite?: RunRestoreJob['overwrite'];
  readonly dryRun?: boolean;
}

export function restoreJob(
  repository: RepositoryAccess,
  snapshotId: string,
  targetPath: string,
  options: RestoreOptions = {},
): RunRestoreJob {
  return {
    kind: 'run_restore',
    restoreRecordId: 1,
    recordId: 1,
    taskName: 'judge',
    source: { type: 'file', config: { paths: ['/'], excludePatterns: [], oneFileSystem: false } },
    artifact: {
      target: repository.target,
      storagePath: `snapshots/${snapshotId}`,
      contentsPath: null,
      fileName: snapshotId,
      checksum: null,
      fileSize: null,
      encryption: null,
      snapshot: { repository, snapshotId },
    },
    targetPath,
    paths: options.paths ?? null,
    overwrite: options.overwrite ?? 'always',
    dryRun: options.dryRun ?? false,
  };
}

export function restore(runner: JobRunner, ...job: Parameters<typeof restoreJob>): Promise<RunRestoreResult> {
  return runner.run(restoreJob(...job));
}

export function check(
  runner: JobRunner,
  repository: RepositoryAccess,
  read: JobOf<'check_repository'>['read'] = 'all',
): Promise<CheckRepositoryResult> {
  return runner.run({ kind: 'check_repository', repository, read });
}

export async function snapshotIds(runner: JobRunner, repository: RepositoryAccess): Promise<string[]> {
  const { snapshots } = await runner.run({
    kind: 'list_snapshots',
    repository,
    hostname: null,
    tags: [],
    path: null,
  });
  return snapshots.map((snapshot) => snapshot.id);
}

export function forgetJob(repository: RepositoryAccess, ids: readonly string[]) {
  return {
    kind: 'forget_snapshots',
    repository,
    snapshotIds: [...ids],
    policy: null,
    lockedIds: [],
    dryRun: false,
  } satisfies JobOf<'forget_snapshots'>;
}

export function pruneJob(repository: RepositoryAccess, more: Partial<JobOf<'prune_repository'>> = {}) {
  return {
    kind: 'prune_repository',
    repository,
    maxUnusedShare: 0,
    maxRepackBytes: null,
    dryRun: false,
    phase: 'exclusive',
    youngerLeases: [],
    ...more,
  } satisfies JobOf<'prune_repository'>;
}

export function copyAll(runner: JobRunner, from: RepositoryAccess, to: RepositoryAccess): Promise<CopySnapshotsResult> {
  return runner.run({ kind: 'copy_snapshots', from, to, snapshotIds: null });
}

export function repair(runner: JobRunner, repository: RepositoryAccess, what: 'index' | 'snapshots') {
  const more = { readAllPacks: false, forget: what === 'snapshots', dryRun: false };
  return runner.run({ kind: 'repair_repository', repository, what, ...more });
}
