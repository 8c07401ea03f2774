/**
 * Builds the jobs that nodes run. The only place where secrets are opened, and only those of the job at hand: settings
 * of the source, of the targets, and for reading an encrypted artifact the identities.
 */
import { AppError } from '@backupx/contracts/errors';
import type { JobTarget, RunBackupJob, RunRestoreJob, StoredArtifact, TargetResult } from '@backupx/contracts/jobs';
import { compressionSchema, overwriteModeSchema } from '@backupx/contracts/jobs';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import {
  type ArtifactCopy,
  isReachableFromMaster,
  type OpenedTarget,
  targetForReader,
  targetForWriter,
} from './locate-artifact.ts';
import type { Db, JobBuilder, NodeDirectory, NodeState } from './ports.ts';

export interface JobBuilderDeps {
  readonly db: Db;
  readonly nodes: NodeDirectory;
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

async function storedArtifact(deps: JobBuilderDeps, recordId: number, nodeId: number): Promise<StoredArtifact> {
  const record = await recordWithArtifact(deps, recordId);
  const reader = await deps.nodes.get(nodeId);
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

async function backupJob(deps: JobBuilderDeps, recordId: number): Promise<RunBackupJob> {
  const record = await recordsStore.get(deps.db, recordId);
  if (record.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  const isLocal = record.node_id === deps.nodes.localNodeId;
  const rows = (await tasksStore.targetsOf(deps.db, [record.task_id])).get(record.task_id) ?? [];
  const targets: JobTarget[] = [];
  for (const row of rows) {
    if (row.enabled === 1) targets.push(targetForWriter(await deps.openTarget(row.storage_target_id), isLocal));
  }
  if (targets.length === 0) {
    throw new AppError('STORAGE_CONFIG', { reason: 'the task has no storage target that is switched on' });
  }
  const recipients = record.encrypted === 1 ? [...(await deps.encryptionKeys.recipients())] : null;
  if (recipients?.length === 0) throw new AppError('ARTIFACT_KEY_MISSING');
  return {
    kind: 'run_backup',
    taskId: record.task_id,
    recordId,
    taskName: record.task_name,
    source: { type: record.task_type, config: JSON.parse(deps.open(record.source_sealed)) },
    targets,
    compression: compressionSchema.parse(record.compression),
    encryption: recipients ? { recipients } : null,
    keyPrefix: record.key_prefix,
    baseName: record.base_name,
    bandwidthBytesPerSecond: deps.bandwidthBytesPerSecond,
  };
}

async function restoreJob(deps: JobBuilderDeps, restoreRecordId: number): Promise<RunRestoreJob> {
  const restore = await restoreRecordsStore.get(deps.db, restoreRecordId);
  if (restore.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  const record = await recordWithArtifact(deps, restore.record_id);
  const paths = JSON.parse(restore.paths) as string[];
  return {
    kind: 'run_restore',
    restoreRecordId,
    recordId: record.id,
    taskName: record.task_name,
    source: { type: record.task_type, config: JSON.parse(deps.open(record.source_sealed)) },
    artifact: await storedArtifact(deps, record.id, restore.node_id),
    targetPath: restore.target_path || null,
    paths: paths.length > 0 ? paths : null,
    overwrite: overwriteModeSchema.parse(restore.overwrite),
  };
}

async function storedObjects(deps: JobBuilderDeps, recordId: number): Promise<StoredObjects[]> {
  const record = await recordsStore.get(deps.db, recordId);
  if (record.storage_path === '') return [];
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

export function createJobBuilder(deps: JobBuilderDeps): ArtifactJobBuilder {
  return {
    backupJob: (recordId) => backupJob(deps, recordId),
    restoreJob: (restoreRecordId) => restoreJob(deps, restoreRecordId),
    storedArtifact: (recordId, nodeId) => storedArtifact(deps, recordId, nodeId),
    storedObjects: (recordId) => storedObjects(deps, recordId),
    async nodeForArtifact(recordId) {
      const record = await recordWithArtifact(deps, recordId);
      const copies = await copiesOf(deps, record);
      return copies.some(isReachableFromMaster) ? deps.nodes.localNodeId : record.node_id;
    },
  };
}
