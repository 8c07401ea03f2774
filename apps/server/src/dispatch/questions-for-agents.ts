/**
 * Control jobs in the words of agents, and their answers back. Agents from the field know `list_dir`, `discover_db` and
 * `delete_storage_object` only; `browse_artifact` and `test_storage` carry the job itself and need protocol 2; every
 * other job goes as `run_job` to agents that announced it.
 */
import { AGENT_PROTOCOL_VERSION, type CommandType } from '@backupx/contracts/agent-protocol';
import { AppError, type ErrorCode, isErrorCode } from '@backupx/contracts/errors';
import {
  browseArtifactResultSchema,
  type DriverSettings,
  diffSnapshotsResultSchema,
  directoryEntrySchema,
  findInRepositoryResultSchema,
  initRepositoryResultSchema,
  inspectSourceResultSchema,
  inspectTargetResultSchema,
  type JobResults,
  listDirectoryResultSchema,
  listSnapshotsResultSchema,
  repositoryKeysResultSchema,
  testStorageResultSchema,
  unlockRepositoryResultSchema,
} from '@backupx/contracts/jobs';
import { z } from 'zod';
import { paramsFromMessage } from './agent-failure.ts';
import { assertKnowsJob } from './choose-node.ts';
import { flatDatabase } from './flat-source.ts';
import type { ControlJob, NodeState } from './ports.ts';

export interface AgentQuestion {
  readonly type: CommandType;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What `discover_db` of agents from the field knows. */
const FIELD_DATABASES: readonly string[] = ['mysql', 'postgresql'];

function discoveryOf({ type, config }: DriverSettings) {
  const { dbHost: host, dbPort: port, dbUser: user, dbPassword: password } = flatDatabase(config);
  return { type, host, port, user, password };
}

/** One question, or one per object. Throws NOT_SUPPORTED when the agent does not know it. */
export function questionsFor(node: NodeState, job: ControlJob): AgentQuestion[] {
  if (job.kind === 'list_directory') return [{ type: 'list_dir', payload: { path: job.path } }];
  if (job.kind === 'delete_objects') {
    const { type, config } = job.target;
    return job.keys.map((storagePath) => ({
      type: 'delete_storage_object' as const,
      payload: { targetType: type, targetConfig: config, storagePath },
    }));
  }
  if (job.kind === 'inspect_source' && node.protocol === 1 && FIELD_DATABASES.includes(job.source.type)) {
    return [{ type: 'discover_db', payload: discoveryOf(job.source) }];
  }
  if (job.kind !== 'browse_artifact' && job.kind !== 'test_storage') {
    assertKnowsJob(node, job.kind);
    return [{ type: 'run_job', payload: job }];
  }
  if (node.protocol < AGENT_PROTOCOL_VERSION) {
    throw new AppError('NOT_SUPPORTED', { what: job.kind, hint: `Update the agent on ${node.name}.` });
  }
  return [{ type: job.kind, payload: job }];
}

// Old agents answer `null` for an empty folder.
const lenientListing = z.preprocess(
  (value) => ({ ...(value as object), entries: (value as { entries?: unknown } | null)?.entries ?? [] }),
  listDirectoryResultSchema.extend({ entries: z.array(directoryEntrySchema) }),
);

/** Checks what the agent answered. Throws AGENT_FAILED when it makes no sense. */
export function readAnswers<J extends ControlJob>(
  node: NodeState,
  job: J,
  answers: readonly unknown[],
): JobResults[J['kind']] {
  try {
    return parseAnswers(job, answers) as JobResults[J['kind']];
  } catch (cause) {
    throw new AppError('AGENT_FAILED', { node: node.name, reason: 'unexpected answer' }, { cause });
  }
}

/** Agents from the field answer the names alone. */
const inspectionSchema = z.union([
  inspectSourceResultSchema,
  z.object({ databases: z.array(z.string()) }).transform(({ databases }): JobResults['inspect_source'] => ({
    server: '',
    tool: '',
    databases: databases.map((name) => ({ name, sizeBytes: null })),
    warnings: [],
    readOnlyUserSql: null,
  })),
]);

const answerSchemas = {
  browse_artifact: browseArtifactResultSchema,
  test_storage: testStorageResultSchema,
  inspect_target: inspectTargetResultSchema,
  init_repository: initRepositoryResultSchema,
  list_snapshots: listSnapshotsResultSchema,
  find_in_repository: findInRepositoryResultSchema,
  diff_snapshots: diffSnapshotsResultSchema,
  unlock_repository: unlockRepositoryResultSchema,
  repository_keys: repositoryKeysResultSchema,
} as const;

function parseAnswers(job: ControlJob, answers: readonly unknown[]): JobResults[ControlJob['kind']] {
  if (job.kind === 'delete_objects') return { deleted: answers.length };
  if (job.kind === 'list_directory') return lenientListing.parse(answers[0]);
  if (job.kind === 'inspect_source') return inspectionSchema.parse(answers[0]);
  return answerSchemas[job.kind].parse(answers[0]);
}

/** What operating systems say, for agents that send no code of our catalogue. */
const KNOWN_MESSAGES: readonly [RegExp, ErrorCode][] = [
  [/no such file or directory|cannot find the (file|path)|does not exist/i, 'PATH_NOT_FOUND'],
  [/permission denied|access is denied|operation not permitted/i, 'PATH_PERMISSION'],
  [/not a directory/i, 'PATH_NOT_DIRECTORY'],
];

/** The error an agent reported, as one of ours. */
export function answerError(node: NodeState, job: ControlJob, message: string, code?: string): AppError {
  if (isErrorCode(code)) {
    const params = paramsFromMessage(code, message);
    if (params) return new AppError(code, params);
  }
  const params = { node: node.name, reason: message, path: job.kind === 'list_directory' ? job.path : '' };
  const known = job.kind === 'list_directory' && KNOWN_MESSAGES.find(([pattern]) => pattern.test(message));
  return known ? new AppError(known[1], params) : new AppError('AGENT_FAILED', params);
}
