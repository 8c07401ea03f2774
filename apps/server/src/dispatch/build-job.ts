/**
 * Builds the jobs that nodes run. The only place where secrets are opened, and only those of the job at hand: settings
 * of the source, of the targets, and for reading an encrypted artifact the identities.
 */

import type { DriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type {
  JobTarget,
  RepositoryAccess,
  RunBackupJob,
  RunRestoreJob,
  StoredArtifact,
  TargetResult,
} from '@backupx/contracts/jobs';
import { compressionSchema, overwriteModeSchema } from '@backupx/contracts/jobs';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { type LeaseHolder, repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { type RestoreRecordRow, restoreRecordsStore } from '../stores/restore-records.store.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import type { VerifyRecordRow } from '../stores/verify-records.store.ts';
import {
  type ArtifactCopy,
  isReachableFromMaster,
  type OpenedTarget,
  targetForReader,
  targetForWriter,
} from './locate-artifact.ts';
import { safeTaskName } from './name-objects.ts';
import type { Db, JobBuilder, NodeDirectory, NodeState } from './ports.ts';
import { maintenanceJob } from './repositories/maintenance-job.ts';
import { withQuestionLease } from './repositories/question-lease.ts';
import type { RepositoryDoor } from './repositories/repository-door.ts';
import { keeperOf } from './repositories/repository-place.ts';
import { type SnapshotCopy, snapshotArtifact, snapshotCopies } from './repositories/snapshot-artifact.ts';
import { settingsForRestore, withSecretsOf } from './stored-secrets.ts';
import { verificationJob } from './verifications/verification-job.ts';

export interface JobBuilderDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly nodes: NodeDirectory;
  readonly door: RepositoryDoor;
  readonly sourceManifests: readonly DriverManifest[];
  /** Opens sealed text. */
  readonly open: (sealed: string) => string;
  /** Throws STORAGE_TARGET_NOT_FOUND. */
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
  /** Limit of one run's uploads; 0: none. */
  readonly bandwidthBytesPerSecond: number;
  readonly encryptionKeys: {
    /** age recipients new backups are encrypted for. */
    recipients(): Promise<readonly string[]>;
    /** age identities that open what was encrypted for any recipient of this installation. */
    identities(): Promise<readonly string[]>;
  };
}

/** An object of a record and where it must be deleted from. */
export interface StoredObjects {
  readonly nodeId: number;
  readonly target: JobTarget;
  readonly keys: string[];
}

/** The job builder plus questions about places that the features ask. */
export interface ArtifactJobBuilder extends JobBuilder {
  /** The node that must open the artifact for browsing: the master whenever it can reach a copy. */
  nodeForArtifact(recordId: number): Promise<number>;
  /** Every object of a record, for deletion. */
  storedObjects(recordId: number): Promise<StoredObjects[]>;
  /** Calls `work` with the artifact as `nodeId` sees it, and keeps it in place meanwhile. */
  withArtifact<T>(recordId: number, nodeId: number, work: (artifact: StoredArtifact) => Promise<T>): Promise<T>;
}

async function copiesOf(deps: JobBuilderDeps, record: RecordRow): Promise<ArtifactCopy[]> {
  const results = JSON.parse(record.targets || '[]') as TargetResult[];
  const good = results.filter((result) => result.status === 'success');
  // Records of agents that name no results have the target in the row alone.
  const places =
    good.length > 0 || record.storage_target_id === 0
      ? good
      : [{ targetId: record.storage_target_id, storagePath: record.storage_path, viaMaster: undefined }];
  return await Promise.all(
    places.map(async (place) => ({
      target: await deps.openTarget(place.targetId),
      storagePath: place.storagePath || record.storage_path,
      viaMaster: place.viaMaster,
      writtenByLocalNode: record.node_id === deps.nodes.localNodeId,
      writerNodeId: record.node_id,
    })),
  );
}

async function recordWithArtifact(deps: JobBuilderDeps, recordId: number): Promise<RecordRow> {
  const record = await recordsStore.get(deps.db, recordId);
  if (!isRestorable(record.status as RecordStatus) || record.storage_path === '') {
    throw new AppError('BACKUP_RECORD_NO_ARTIFACT');
  }
  return record;
}

async function nodeName(deps: JobBuilderDeps, nodeId: number): Promise<string> {
  try {
    return (await deps.nodes.get(nodeId)).name;
  } catch {
    return `node ${nodeId}`;
  }
}

async function unreachable(deps: JobBuilderDeps, record: RecordRow, reader: NodeState): Promise<AppError> {
  const writer = await nodeName(deps, record.node_id);
  return new AppError('NOT_SUPPORTED', {
    what: `Opening this artifact on ${reader.name}`,
    hint: `It lies on the disk of ${writer}: restore it there, or use a storage that both reach (for later backups: an object storage, or "through the master" for the folder).`,
  });
}

async function encryptionOf(deps: JobBuilderDeps, record: RecordRow): Promise<StoredArtifact['encryption']> {
  if (record.encrypted !== 1) return null;
  const identities = [...(await deps.encryptionKeys.identities())];
  if (identities.length === 0) throw new AppError('ARTIFACT_KEY_MISSING');
  return { identities };
}

/** A lease that was taken for reading; 0: none. */
type LeaseOf = (repositoryId: number) => number;
const noLease: LeaseOf = () => 0;

async function leasesOf(deps: JobBuilderDeps, holder: LeaseHolder): Promise<LeaseOf> {
  const leases = await repositoryLeasesStore.ofHolder(deps.db, holder);
  return (repositoryId) => leases.find((lease) => lease.repository_id === repositoryId)?.id ?? 0;
}

async function readableSnapshot(deps: JobBuilderDeps, record: RecordRow, reader: NodeState): Promise<SnapshotCopy> {
  const copies = await snapshotCopies(deps.db, record);
  const found = copies.find((copy) => copy.isReachableFrom(reader.id));
  if (!found) throw await unreachable(deps, record, reader);
  return found;
}

async function storedArtifact(
  deps: JobBuilderDeps,
  recordId: number,
  nodeId: number,
  leaseOf: LeaseOf = noLease,
): Promise<StoredArtifact> {
  const record = await recordWithArtifact(deps, recordId);
  const reader = await deps.nodes.get(nodeId);
  if (record.repository_id > 0) {
    const copy = await readableSnapshot(deps, record, reader);
    const access = await deps.door.access(copy.row.id, reader.id, leaseOf(copy.row.id));
    return snapshotArtifact(access, copy.snapshotId);
  }
  for (const copy of await copiesOf(deps, record)) {
    const target = targetForReader(copy, reader);
    if (!target) continue;
    return {
      target,
      storagePath: copy.storagePath,
      contentsPath: record.contents_path || null,
      fileName: record.file_name,
      checksum: record.checksum || null,
      fileSize: record.file_size || null,
      encryption: await encryptionOf(deps, record),
    };
  }
  throw await unreachable(deps, record, reader);
}

/** Repositories of a run in the order of its leases; null: an archive. The first is made when it is new. */
async function repositoriesOf(deps: JobBuilderDeps, record: RecordRow): Promise<RepositoryAccess[] | null> {
  if (record.repository_id === 0) return null;
  const leases = await repositoryLeasesStore.ofHolder(deps.db, { owner: 'record', ownerId: record.id });
  const accesses: RepositoryAccess[] = [];
  for (const lease of leases) {
    const isFirst = lease.repository_id === record.repository_id;
    const open = isFirst ? deps.door.access : deps.door.accessUnmade;
    accesses.push(await open(lease.repository_id, record.node_id, lease.id));
  }
  return accesses;
}

async function snapshotDetails(deps: JobBuilderDeps, record: RecordRow): Promise<RunBackupJob['snapshot']> {
  const node = await deps.nodes.get(record.node_id);
  const task = await tasksStore.find(deps.db, record.task_id);
  const tags = [safeTaskName(record.task_name), ...(JSON.parse(task?.tags ?? '[]') as string[])];
  // A comma separates tags on stock restic's command line.
  const clean = tags.map((tag) => tag.replaceAll(',', ' ').trim()).filter(Boolean);
  return { hostname: node.hostname || node.name, tags: [...new Set(clean)], parentId: null, dryRun: false };
}

async function targetsOfRun(deps: JobBuilderDeps, record: RecordRow): Promise<JobTarget[]> {
  const isLocal = record.node_id === deps.nodes.localNodeId;
  const rows = (await tasksStore.targetsOf(deps.db, [record.task_id])).get(record.task_id) ?? [];
  const targets: JobTarget[] = [];
  for (const row of rows) {
    if (row.enabled === 1) targets.push(targetForWriter(await deps.openTarget(row.storage_target_id), isLocal));
  }
  if (targets.length === 0) {
    throw new AppError('STORAGE_CONFIG', { reason: 'the task has no storage target that is switched on' });
  }
  return targets;
}

/** A backup of what a restore replaces may need secrets that only the restore has. */
async function sourceOfRecord(deps: JobBuilderDeps, record: RecordRow): Promise<Record<string, unknown>> {
  const config = JSON.parse(deps.open(record.source_sealed)) as Record<string, unknown>;
  const manifest = deps.sourceManifests.find((one) => one.type === record.task_type);
  if (record.trigger !== 'safety' || !manifest) return config;
  const restore = await restoreRecordsStore.ofSafetyRecord(deps.db, record.id);
  return restore ? { ...withSecretsOf(manifest, config, optionsOf(deps, restore)) } : config;
}

async function backupJob(deps: JobBuilderDeps, recordId: number): Promise<RunBackupJob> {
  const record = await recordsStore.get(deps.db, recordId);
  if (record.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  const repositories = await repositoriesOf(deps, record);
  const targets = repositories ? repositories.map((one) => one.target) : await targetsOfRun(deps, record);
  const recipients = record.encrypted === 1 ? [...(await deps.encryptionKeys.recipients())] : null;
  if (recipients?.length === 0) throw new AppError('ARTIFACT_KEY_MISSING');
  return {
    kind: 'run_backup',
    taskId: record.task_id,
    recordId,
    taskName: record.task_name,
    source: { type: record.task_type, config: await sourceOfRecord(deps, record) },
    targets,
    compression: compressionSchema.parse(record.compression),
    encryption: recipients ? { recipients } : null,
    keyPrefix: record.key_prefix,
    baseName: record.base_name,
    bandwidthBytesPerSecond: deps.bandwidthBytesPerSecond,
    ...(repositories ? { repositories, snapshot: await snapshotDetails(deps, record) } : {}),
  };
}

/** A snapshot without a record of ours: whatever it holds goes below the chosen folder. */
async function foreignRestoreJob(deps: JobBuilderDeps, restore: RestoreRecordRow): Promise<RunRestoreJob> {
  const leaseOf = await leasesOf(deps, { owner: 'restore', ownerId: restore.id });
  const access = await deps.door.access(restore.repository_id, restore.node_id, leaseOf(restore.repository_id));
  return {
    ...wishesOf(restore),
    recordId: 0,
    taskName: restore.task_name,
    source: { type: 'file', config: { paths: ['/'] } },
    artifact: snapshotArtifact(access, restore.snapshot_id),
  };
}

function wishesOf(restore: RestoreRecordRow) {
  const paths = JSON.parse(restore.paths) as string[];
  return {
    kind: 'run_restore',
    restoreRecordId: restore.id,
    targetPath: restore.target_path || null,
    paths: paths.length > 0 ? paths : null,
    overwrite: overwriteModeSchema.parse(restore.overwrite),
    dryRun: restore.dry_run === 1,
  } as const;
}

function optionsOf(deps: JobBuilderDeps, restore: RestoreRecordRow): Record<string, unknown> {
  return restore.options_sealed === ''
    ? {}
    : (JSON.parse(deps.open(restore.options_sealed)) as Record<string, unknown>);
}

async function restoreJob(deps: JobBuilderDeps, restoreRecordId: number): Promise<RunRestoreJob> {
  const restore = await restoreRecordsStore.get(deps.db, restoreRecordId);
  if (restore.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  if (restore.record_id === 0) return await foreignRestoreJob(deps, restore);
  const record = await recordWithArtifact(deps, restore.record_id);
  const leaseOf = await leasesOf(deps, { owner: 'restore', ownerId: restore.id });
  const stored = JSON.parse(deps.open(record.source_sealed)) as Record<string, unknown>;
  const options = optionsOf(deps, restore);
  const manifest = deps.sourceManifests.find((one) => one.type === record.task_type);
  return {
    ...wishesOf(restore),
    ...(Object.keys(options).length > 0 ? { options } : {}),
    recordId: record.id,
    taskName: record.task_name,
    source: { type: record.task_type, config: settingsForRestore(manifest, stored, options) },
    artifact: await storedArtifact(deps, record.id, restore.node_id, leaseOf),
  };
}

async function storedObjects(deps: JobBuilderDeps, recordId: number): Promise<StoredObjects[]> {
  const record = await recordsStore.get(deps.db, recordId);
  if (record.storage_path === '') return [];
  if (record.repository_id > 0) return await snapshotObjects(deps, record);
  return (await copiesOf(deps, record)).map((copy) => {
    const onMaster = isReachableFromMaster(copy);
    const target = targetForReader(copy, {
      id: onMaster ? deps.nodes.localNodeId : copy.writerNodeId,
      isLocal: onMaster,
    });
    if (!target) throw new AppError('INTERNAL', { requestId: '-' });
    // The list of contents goes first: a run that stops half way leaves a record that can still be restored.
    const contents = record.contents_path === '' ? [] : [record.contents_path];
    return {
      nodeId: onMaster ? deps.nodes.localNodeId : record.node_id,
      target,
      keys: [...contents, copy.storagePath],
    };
  });
}

/** The snapshot file of each copy, on the node that keeps its repository. */
async function snapshotObjects(deps: JobBuilderDeps, record: RecordRow): Promise<StoredObjects[]> {
  const objects: StoredObjects[] = [];
  for (const copy of await snapshotCopies(deps.db, record)) {
    const nodeId = keeperOf(copy.row, deps.nodes.localNodeId);
    const { id, name, type, config } = await deps.openTarget(copy.row.storage_target_id);
    objects.push({ nodeId, target: { id, name, type, config, viaMaster: false }, keys: [copy.storagePath] });
  }
  return objects;
}

async function nodeForArtifact(deps: JobBuilderDeps, recordId: number): Promise<number> {
  const record = await recordWithArtifact(deps, recordId);
  const { localNodeId } = deps.nodes;
  if (record.repository_id > 0) {
    const copies = await snapshotCopies(deps.db, record);
    const best = copies.find((copy) => copy.isReachableFrom(localNodeId)) ?? copies[0];
    return best ? keeperOf(best.row, localNodeId) : record.node_id;
  }
  return (await copiesOf(deps, record)).some(isReachableFromMaster) ? localNodeId : record.node_id;
}

async function withArtifact<T>(
  deps: JobBuilderDeps,
  place: { recordId: number; nodeId: number },
  work: (artifact: StoredArtifact) => Promise<T>,
): Promise<T> {
  const { recordId, nodeId } = place;
  const record = await recordWithArtifact(deps, recordId);
  if (record.repository_id === 0) return await work(await storedArtifact(deps, recordId, nodeId));
  const copy = await readableSnapshot(deps, record, await deps.nodes.get(nodeId));
  return await withQuestionLease(deps, { repositoryId: copy.row.id, nodeId }, async (leaseId) =>
    work(await storedArtifact(deps, recordId, nodeId, () => leaseId)),
  );
}

async function artifactOfVerification(deps: JobBuilderDeps, row: VerifyRecordRow): Promise<StoredArtifact> {
  const leaseOf = await leasesOf(deps, { owner: 'verify', ownerId: row.id });
  return await storedArtifact(deps, row.record_id, row.node_id, leaseOf);
}

export function createJobBuilder(deps: JobBuilderDeps): ArtifactJobBuilder {
  return {
    backupJob: (recordId) => backupJob(deps, recordId),
    restoreJob: (restoreRecordId) => restoreJob(deps, restoreRecordId),
    storedArtifact: (recordId, nodeId) => storedArtifact(deps, recordId, nodeId),
    storedObjects: (recordId) => storedObjects(deps, recordId),
    maintenanceJob: (maintenanceRecordId) => maintenanceJob(deps, maintenanceRecordId),
    verificationJob: (id) => verificationJob(deps, id, (row) => artifactOfVerification(deps, row)),
    nodeForArtifact: (recordId) => nodeForArtifact(deps, recordId),
    withArtifact: (recordId, nodeId, work) => withArtifact(deps, { recordId, nodeId }, work),
  };
}
