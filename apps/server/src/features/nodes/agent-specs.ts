/**
 * Jobs in the words of the wire. Agents from the field read flat fields and newline-separated strings; ours reads the
 * same plus what version 2 adds. A target that is reached through the master is named without its settings.
 */
import {
  AGENT_PROTOCOL_VERSION,
  type AgentRestoreSpec,
  type AgentTaskSpec,
  type transferModeSchema,
} from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings, JobTarget, RunBackupJob, RunRestoreJob } from '@backupx/contracts/jobs';
import type { z } from 'zod';
import { flatDatabase } from '../../dispatch/flat-source.ts';

type TransferMode = z.output<typeof transferModeSchema>;

/** Settings of a source that have a field of their own on the wire. */
const FLAT_NAMES: readonly string[] = ['dbHost', 'dbPort', 'dbUser', 'dbPassword'];

const listOf = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);

/** Newline-separated; a JSON array where an item would not survive that (agents accept both). */
function joinList(items: readonly string[]): string {
  const isPlain = items.every((item) => !/[\r\n]/.test(item) && item.trim() === item && !item.startsWith('['));
  return isPlain ? items.join('\n') : JSON.stringify(items);
}

function flatSource({ config }: DriverSettings) {
  const { paths, excludePatterns, ...others } = config;
  const extra = Object.entries(others).filter(([name]) => !FLAT_NAMES.includes(name));
  return {
    paths: listOf(paths),
    excludePatterns: listOf(excludePatterns),
    // Our agents read the list of databases from the rest, those in the field from here.
    ...flatDatabase(config),
    extraConfig: extra.length > 0 ? JSON.stringify(Object.fromEntries(extra)) : '',
  };
}

function wireTarget({ id, type, name, config, viaMaster }: JobTarget) {
  const transferMode: TransferMode = viaMaster ? 'master_relay' : 'direct';
  return { id, type, name, config: viaMaster ? {} : config, transferMode };
}

function refuseOldAgent(what: string): AppError {
  return new AppError('NOT_SUPPORTED', { what, hint: 'Replace the agent on that machine by the current one.' });
}

/** Throws NOT_SUPPORTED for an agent that cannot encrypt, or write into a repository, as the task wants it. */
export function toTaskSpec(job: RunBackupJob, protocol: number): AgentTaskSpec {
  const isOurs = protocol >= AGENT_PROTOCOL_VERSION;
  if (job.repositories && !isOurs) throw refuseOldAgent('A backup into a repository by an agent of the older version');
  if (job.encryption && !isOurs) throw refuseOldAgent('An encrypted backup by an agent of the older version');
  const { paths, excludePatterns, ...flat } = flatSource(job.source);
  const spec: AgentTaskSpec = {
    taskId: job.taskId,
    name: job.taskName,
    type: job.source.type,
    sourcePath: paths[0] ?? '',
    sourcePaths: joinList(paths),
    excludePatterns: joinList(excludePatterns),
    ...flat,
    compression: job.compression,
    encrypt: job.encryption !== null,
    storageTargets: job.targets.map(wireTarget),
  };
  if (!isOurs) return spec;
  return {
    ...spec,
    ...(job.repositories ? { repositories: job.repositories, snapshot: job.snapshot } : {}),
    keyPrefix: job.keyPrefix,
    baseName: job.baseName,
    bandwidthBytesPerSecond: job.bandwidthBytesPerSecond,
    ...(job.encryption ? { encryptionRecipients: job.encryption.recipients } : {}),
  };
}

/** Throws NOT_SUPPORTED when an old agent would restore something else than was asked for. */
export function toRestoreSpec(
  job: RunRestoreJob,
  record: { taskId: number; compression: string },
  protocol: number,
): AgentRestoreSpec {
  const { artifact } = job;
  const { paths, excludePatterns: _unused, ...flat } = flatSource(job.source);
  const isOurs = protocol >= AGENT_PROTOCOL_VERSION;
  if (!isOurs) refuseWhatOldAgentsCannot(job);
  const spec: AgentRestoreSpec = {
    restoreRecordId: job.restoreRecordId,
    backupRecordId: job.recordId,
    taskId: record.taskId,
    taskName: job.taskName,
    type: job.source.type,
    sourcePath: paths[0] ?? '',
    sourcePaths: paths,
    ...flat,
    compression: record.compression,
    encrypt: artifact.encryption !== null,
    storage: wireTarget(artifact.target),
    storagePath: artifact.storagePath,
    fileName: artifact.fileName,
    checksum: artifact.checksum ?? '',
  };
  if (!isOurs) return spec;
  const target = { ...artifact.target, config: artifact.target.viaMaster ? {} : artifact.target.config };
  return {
    ...spec,
    artifact: { ...artifact, target },
    targetPath: job.targetPath,
    paths: job.paths,
    overwrite: job.overwrite,
    ...(job.dryRun ? { dryRun: true } : {}),
    ...(job.options ? { options: job.options } : {}),
  };
}

/** They know one way only: everything, to where it came from, over what is there. */
function refuseWhatOldAgentsCannot(job: RunRestoreJob): void {
  if (job.artifact.snapshot) throw refuseOldAgent('Restoring a snapshot by an agent of the older version');
  if (job.artifact.encryption) throw refuseOldAgent('Restoring an encrypted artifact by an agent of the older version');
  if (job.targetPath !== null) throw refuseOldAgent('Restoring to another folder by an agent of the older version');
  if (job.paths !== null) throw refuseOldAgent('Restoring selected paths by an agent of the older version');
  if (job.options) throw refuseOldAgent('Restoring with options by an agent of the older version');
  if (job.overwrite !== 'always') {
    throw refuseOldAgent(
      'Restoring without overwriting what is there (choose "always") by an agent of the older version',
    );
  }
}
