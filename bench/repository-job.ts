/**
 * One job on a repository in a process of its own, start-up included, as the benchmark measures it. Arguments: what to
 * do, the repository's folder, the source or target, the snapshot. Prints the result as JSON. Password or master
 * key come by the environment.
 */
import { enableCompileCache } from 'node:module';
import type { JobOf, RepositoryAccess } from '@backupx/contracts/jobs';

// As the program itself does.
enableCompileCache();
const { createJobEngine } = await import('@backupx/engine/create-job-engine');
const { silentReporter } = await import('@backupx/engine/ports/reporter');

const [action = '', folder = '', place = '', snapshotId = '', ...more] = process.argv.slice(2);
const password = process.env.BENCH_PASSWORD ?? '';
const masterKey = process.env.BENCH_MASTER_KEY ?? '';
const target = {
  id: 1,
  name: 'bench',
  type: 'local_disk',
  config: { basePath: folder, masterRelay: false },
  viaMaster: false,
};
const repository: RepositoryAccess = {
  id: 0,
  target,
  prefix: '',
  unlock: masterKey === '' ? { password } : { masterKey },
  leaseId: 0,
  condemnedPacks: [],
};
const source = { type: 'file', config: { paths: [place], excludePatterns: [], oneFileSystem: false } };
const artifact = {
  target,
  storagePath: '',
  contentsPath: null,
  fileName: '',
  checksum: null,
  fileSize: null,
  encryption: null,
  snapshot: { repository, snapshotId },
};

function init(): JobOf<'init_repository'> {
  return {
    kind: 'init_repository',
    target,
    id: 0,
    prefix: '',
    password,
    chunkerPolynomial: null,
    adopt: false,
    hostname: 'bench',
  };
}

function backup(): JobOf<'run_backup'> {
  return {
    kind: 'run_backup',
    taskId: 1,
    recordId: 1,
    taskName: 'bench',
    source,
    targets: [target],
    compression: 'zstd',
    encryption: null,
    keyPrefix: '',
    baseName: '',
    bandwidthBytesPerSecond: 0,
    repositories: [repository],
    snapshot: { hostname: 'bench', tags: [], parentId: null, dryRun: false },
  };
}

function restore(): JobOf<'run_restore'> {
  return {
    kind: 'run_restore',
    restoreRecordId: 1,
    recordId: 1,
    taskName: 'bench',
    source,
    artifact,
    targetPath: place,
    paths: null,
    overwrite: 'never',
    dryRun: false,
  };
}

/** `place` is the folder; after the snapshot come the offset and, if wanted, what to search for. */
function browse(): JobOf<'browse_artifact'> {
  const [offset = '0', search] = more;
  return { kind: 'browse_artifact', artifact, path: place, search: search ?? null, offset: Number(offset), limit: 100 };
}

function check(): JobOf<'check_repository'> {
  return { kind: 'check_repository', repository, read: 'all' };
}

/** The snapshot, and those after it. */
function forget(): JobOf<'forget_snapshots'> {
  const snapshotIds = [snapshotId, ...more];
  return { kind: 'forget_snapshots', repository, snapshotIds, policy: null, lockedIds: [], dryRun: false };
}

function prune(): JobOf<'prune_repository'> {
  const limits = { maxUnusedShare: 0, maxRepackBytes: null, dryRun: false } as const;
  return { kind: 'prune_repository', repository, ...limits, phase: 'exclusive', youngerLeases: [] };
}

const jobs = { init, backup, restore, browse, check, forget, prune } as const;
const makeJob = jobs[action as keyof typeof jobs];
if (!makeJob) throw new Error(`name one of ${Object.keys(jobs).join(', ')}`);
const engine = createJobEngine({ tempDir: `${folder}.tmp` });
const job = makeJob();
const startedAt = performance.now();
const result = await engine.run(job, { reporter: silentReporter, signal: new AbortController().signal });
console.log(JSON.stringify({ result, milliseconds: Math.round(performance.now() - startedAt) }));
await engine.close(5000);
