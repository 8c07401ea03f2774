/** Creates a verification with its lease, and for a remote node its command, in one transaction. */
import type { FieldManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type { VerifyMode } from '@backupx/contracts/jobs';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { type RecordRow, recordsStore } from '../../stores/records.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { verifyRecordsStore } from '../../stores/verify-records.store.ts';
import type { ArtifactJobBuilder } from '../build-job.ts';
import { assertKnowsJob, assertKnowsMode } from '../choose-node.ts';
import type { CommandQueue, Db, NodeDirectory, NodeState } from '../ports.ts';
import { type CheckedOptions, type CheckOptionsDeps, checkOptions, noOptions } from '../restore-options.ts';

/** What an agent announces that can be given a verification. */
export const VERIFY_COMMAND = 'run_verification';

export interface VerificationStart {
  readonly recordId: number;
  readonly mode: VerifyMode;
  readonly trigger: 'manual' | 'schedule';
  readonly requestedBy: string;
  /** The server a deep one restores into; left out: one started for it. */
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface StartVerificationDeps extends CheckOptionsDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly queue: CommandQueue;
  readonly nodes: NodeDirectory;
  readonly builder: Pick<ArtifactJobBuilder, 'nodeForArtifact' | 'storedArtifact'>;
}

/** Files are proven where the artifact can be read; a dump needs the programs of the server that made it. */
async function chooseVerifier(deps: StartVerificationDeps, record: RecordRow): Promise<NodeState> {
  const { nodes, builder } = deps;
  const nodeId = await builder.nodeForArtifact(record.id);
  if (record.task_type === 'file' || nodeId === record.node_id) return await usableNode(nodes, nodeId, record);
  const reachable = await builder.storedArtifact(record.id, record.node_id).then(
    (artifact) => artifact.snapshot != null || !artifact.target.viaMaster,
    () => false,
  );
  return await usableNode(nodes, reachable ? record.node_id : nodeId, record);
}

async function usableNode(nodes: NodeDirectory, nodeId: number, record: RecordRow): Promise<NodeState> {
  const node = await nodes.get(nodeId);
  if (node.isLocal) return node;
  if (!node.isOnline) throw new AppError('NODE_OFFLINE', { node: node.name });
  assertKnowsJob(node, VERIFY_COMMAND);
  if (record.repository_id > 0) assertKnowsMode(node, 'repository');
  return node;
}

async function refuseSecond(db: Db, recordId: number): Promise<void> {
  const id = await verifyRecordsStore.runningIdOfRecord(db, recordId);
  if (id !== undefined) throw new AppError('VERIFY_RUNNING', { id });
}

/** Throws INVALID_INPUT, NOT_SUPPORTED. */
function serverOf(deps: CheckOptionsDeps, start: VerificationStart, record: RecordRow): CheckedOptions {
  const type = record.task_type;
  const isAllowed = ({ place }: FieldManifest) => place === true;
  const options = checkOptions(deps, { type, given: start.options ?? {}, isAllowed });
  if (options === noOptions) return options;
  const manifest = deps.engine.manifests.sources.find((one) => one.type === type);
  if (!manifest?.canVerifyOnServer) {
    const what = `A verification of ${manifest?.title ?? type} on a server that is named`;
    throw new AppError('NOT_SUPPORTED', { what, hint: 'Leave the server out.' });
  }
  if (start.mode === 'deep') return options;
  const fields = [{ path: 'mode', code: 'invalid', message: 'only a deep verification needs a server' }];
  throw new AppError('INVALID_INPUT', {}, { fields });
}

interface Place {
  readonly nodeId: number;
  readonly repositoryId: number;
  readonly options: CheckedOptions;
}

function newRecord(start: VerificationStart, record: RecordRow, place: Place) {
  return {
    record_id: record.id,
    task_id: record.task_id,
    task_name: record.task_name,
    node_id: place.nodeId,
    mode: start.mode,
    trigger: start.trigger,
    status: 'running',
    options: JSON.stringify(place.options.shown),
    options_sealed: place.options.sealed,
    repository_id: place.repositoryId,
    checks: '[]',
    summary: '',
    item_count: 0,
    source_bytes: 0,
    stored_bytes: 0,
    problem_count: 0,
    error_message: '',
    error_code: '',
    error_params: '{}',
    cancel_requested: 0,
    progress: '',
    log_sequence: 0,
    requested_by: start.requestedBy,
    completed_at: null,
  } as const;
}

/** Throws BACKUP_RECORD_NOT_FOUND, BACKUP_RECORD_NO_ARTIFACT, INVALID_INPUT, VERIFY_RUNNING, NODE_OFFLINE, NOT_SUPPORTED. */
export async function createVerification(
  deps: StartVerificationDeps,
  start: VerificationStart,
): Promise<{ id: number; node: NodeState; record: RecordRow }> {
  const { db } = deps;
  const record = await recordsStore.get(db, start.recordId);
  if (!isRestorable(record.status as RecordStatus) || record.storage_path === '') {
    throw new AppError('BACKUP_RECORD_NO_ARTIFACT');
  }
  const options = serverOf(deps, start, record);
  await refuseSecond(db, record.id);
  const node = await chooseVerifier(deps, record);
  // Says now what would fail later: an artifact on another node's disk, a missing key, a removed target.
  const artifact = await deps.builder.storedArtifact(record.id, node.id);
  const repositoryId = artifact.snapshot?.repository.id ?? 0;
  const now = deps.clock.now().toISOString();
  try {
    const id = await db.transaction().execute(async (trx) => {
      const values = newRecord(start, record, { nodeId: node.id, repositoryId, options });
      const verifyId = await verifyRecordsStore.insert(trx, { ...values, started_at: now, last_activity_at: now });
      if (repositoryId > 0) {
        const lease = { repositoryId, owner: 'verify', ownerId: verifyId, nodeId: node.id, now } as const;
        await repositoryLeasesStore.begin(trx, lease);
      }
      if (!node.isLocal) {
        const command = { nodeId: node.id, type: VERIFY_COMMAND, verifyRecordId: verifyId } as const;
        await deps.queue.enqueueWork(trx, command);
      }
      return verifyId;
    });
    return { id, node, record };
  } catch (error) {
    if (isUniqueViolation(error)) await refuseSecond(db, record.id);
    throw error;
  }
}
