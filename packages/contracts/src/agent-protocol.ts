/**
 * Master <-> agent messages.
 *
 * Version 1 is what agents in the field speak: no protocol header, short polls, one command at a time, status and
 * log lines posted to the record. Version 2 is opt-in by the request header `X-Agent-Protocol: 2`; it only *adds*
 * optional fields to the same routes, so our agent works against a master that knows version 1 only (unknown
 * fields are ignored there), and old agents work against ours. All bodies are read leniently: unknown keys dropped.
 */
import { z } from 'zod';
import { defineRoute, idParamSchema, idParams, idSchema, okOutput } from './define-route.ts';
import {
  itemProblemSchema,
  jobProgressSchema,
  maintenanceJobSchema,
  repositoryAccessSchema,
  runBackupJobSchema,
  snapshotResultSchema,
  storedArtifactSchema,
  targetResultSchema,
  verifyArtifactJobSchema,
} from './jobs.ts';

export const AGENT_PROTOCOL_HEADER = 'x-agent-protocol';
export const AGENT_TOKEN_HEADER = 'x-agent-token';
export const AGENT_PROTOCOL_VERSION = 2;

/** Timings in milliseconds that both sides rely on. */
export const agentTimings = {
  heartbeatMs: 15_000,
  pollMs: 5_000,
  offlineAfterMs: 45_000,
  offlineScanMs: 15_000,
  controlAnswerMs: 15_000,
  requestTimeoutMs: 120_000,
  drainMs: 30_000,
} as const;

export const heartbeatBodySchema = z.object({
  token: z.string().optional(),
  hostname: z.string().max(255).optional(),
  ipAddress: z.string().max(100).optional(),
  agentVersion: z.string().max(100).optional(),
  os: z.string().max(100).optional(),
  arch: z.string().max(100).optional(),
  // version 2
  /** Stable per installation (kept in the agent's state folder) and new per process start. */
  instanceId: z.string().max(64).optional(),
  bootId: z.string().max(64).optional(),
  /** Commands this process holds (accepted, running, or finished with an unacknowledged result). */
  activeCommandIds: z.array(idSchema).max(1000).optional(),
  /** Source and storage types this agent can run. */
  capabilities: z
    .object({
      sources: z.array(z.string()),
      storages: z.array(z.string()),
      /** Kinds of jobs (`jobs.ts`); missing: those from before repositories. */
      jobs: z.array(z.string()).optional(),
      /** Backup modes; missing: `full`. */
      modes: z.array(z.string()).optional(),
    })
    .optional(),
  /** True on the last beat before a planned stop. */
  stopping: z.boolean().optional(),
});
export type HeartbeatBody = z.output<typeof heartbeatBodySchema>;

export const heartbeatOutputSchema = z.object({
  status: z.literal('ok'),
  nodeId: idSchema,
  name: z.string(),
  // version 2
  protocol: z.number().optional(),
  serverTime: z.string().optional(),
  heartbeatMs: z.number().optional(),
  pollMs: z.number().optional(),
  /** Commands the master wants stopped (also answered on record updates as `cancel`). */
  cancelCommandIds: z.array(idSchema).optional(),
});
export type HeartbeatOutput = z.output<typeof heartbeatOutputSchema>;

export const commandTypeSchema = z.enum([
  'run_task',
  'list_dir',
  'restore_record',
  'discover_db',
  'delete_storage_object',
  // version 2 only: never handed to an agent that did not send the header
  'browse_artifact',
  'test_storage',
  // only for agents that announced the job in their capabilities: any control job, and long work on a repository
  'run_job',
  'run_maintenance',
  // only for agents that announced it in their capabilities
  'run_verification',
]);
export type CommandType = z.output<typeof commandTypeSchema>;
export const commandStateSchema = z.enum(['pending', 'dispatched', 'succeeded', 'failed', 'timeout']);
export type CommandState = z.output<typeof commandStateSchema>;

export const runTaskPayloadSchema = z.object({ taskId: idSchema, recordId: idSchema });
export const listDirPayloadSchema = z.object({ path: z.string() });
export const discoverDatabasesPayloadSchema = z.object({
  type: z.string(),
  host: z.string().default(''),
  port: z.number().default(0),
  user: z.string().default(''),
  password: z.string().default(''),
});
export const maintenancePayloadSchema = z.object({ maintenanceRecordId: idSchema });
export const verificationPayloadSchema = z.object({ verifyRecordId: idSchema });
export const restoreRecordPayloadSchema = z.object({ restoreRecordId: idSchema });
export const deleteStorageObjectPayloadSchema = z.object({
  targetType: z.string(),
  targetConfig: z.record(z.string(), z.unknown()),
  storagePath: z.string(),
});

/** Body of a version 2 poll. A version 1 poll has no body. `waitMs` > 0 asks for a long poll (at most 50 s). */
export const pollBodySchema = z
  .object({
    waitMs: z.number().int().min(0).max(50_000).default(0),
    /** How many more commands of each lane this agent would start now. */
    free: z.object({ work: z.number().int().min(0), control: z.number().int().min(0) }).optional(),
  })
  .nullish();

/** `payload` is an object on the wire; secrets never lie in stored command rows, they are filled in when claimed. */
export const agentCommandSchema = z.object({
  id: idSchema,
  type: z.string(),
  payload: z.record(z.string(), z.unknown()).optional(),
});
export type AgentCommand = z.output<typeof agentCommandSchema>;
export const pollOutputSchema = z.object({ command: agentCommandSchema.nullable() });

export const commandResultBodySchema = z.object({
  success: z.boolean(),
  errorMessage: z.string().max(65_536).optional(),
  /** version 2: code of our catalogue when the failure has one. */
  errorCode: z.string().max(100).optional(),
  result: z.unknown().optional(),
});
export type CommandResultBody = z.output<typeof commandResultBodySchema>;

export const transferModeSchema = z.enum(['direct', 'master_relay']);
export type TransferMode = z.output<typeof transferModeSchema>;

/** A storage target in a specification; `config` is the decrypted JSON object. */
export const agentStorageTargetSchema = z.object({
  id: idSchema,
  type: z.string(),
  name: z.string(),
  config: z.record(z.string(), z.unknown()),
  transferMode: z.string().optional(),
});

export const agentTaskSpecSchema = z.object({
  taskId: idSchema,
  name: z.string(),
  type: z.string(),
  sourcePath: z.string().default(''),
  /** Newline-separated strings, as in the field. */
  sourcePaths: z.string().default(''),
  excludePatterns: z.string().default(''),
  dbHost: z.string().default(''),
  dbPort: z.number().default(0),
  dbUser: z.string().default(''),
  dbPassword: z.string().default(''),
  dbName: z.string().default(''),
  dbPath: z.string().default(''),
  /** JSON text. */
  extraConfig: z.string().default(''),
  compression: z.string().default('none'),
  /** Always false for version 1 agents, which cannot encrypt: dispatch refuses such tasks for them instead. */
  encrypt: z.boolean().default(false),
  storageTargets: z.array(agentStorageTargetSchema).default([]),
  // version 2
  encryptionRecipients: z.array(z.string()).optional(),
  keyPrefix: z.string().optional(),
  baseName: z.string().optional(),
  bandwidthBytesPerSecond: z.number().optional(),
  /** Mode `repository`: the first is written, the others get copies; `master_relay` ones through the gateway. */
  repositories: z.array(repositoryAccessSchema).optional(),
  snapshot: runBackupJobSchema.shape.snapshot.optional(),
});
export type AgentTaskSpec = z.output<typeof agentTaskSpecSchema>;

/** One upload result in the words of agents in the field. */
export const storageUploadResultSchema = z.object({
  storageTargetId: z.number(),
  storageTargetName: z.string().default(''),
  status: z.string(),
  storagePath: z.string().optional(),
  fileSize: z.number().optional(),
  transferMode: z.string().optional(),
  error: z.string().optional(),
});

export const agentRecordUpdateSchema = z.object({
  /** Fields left out, empty or zero change nothing. */
  status: z.enum(['', 'running', 'success', 'failed']).optional(),
  fileName: z.string().max(1024).optional(),
  fileSize: z.number().min(0).optional(),
  checksum: z.string().max(200).optional(),
  storagePath: z.string().max(2048).optional(),
  storageTargetId: z.number().int().min(0).optional(),
  storageTransferMode: z.string().max(50).optional(),
  storageUploadResults: z.array(storageUploadResultSchema).max(100).optional(),
  errorMessage: z.string().max(65_536).optional(),
  logAppend: z.string().max(1_048_576).optional(),
  // version 2
  progress: jobProgressSchema.optional(),
  /** With `status`: the finer outcome our agent knows (`success` + `warning`, `failed` + `cancelled`/`interrupted`). */
  outcome: z.enum(['success', 'warning', 'failed', 'cancelled', 'interrupted']).optional(),
  errorCode: z.string().max(100).optional(),
  contentsPath: z.string().max(2048).optional(),
  sourceBytes: z.number().min(0).optional(),
  itemCount: z.number().min(0).optional(),
  targets: z.array(targetResultSchema).max(100).optional(),
  snapshot: snapshotResultSchema.nullish(),
  problems: z.array(itemProblemSchema).max(1000).optional(),
  problemCount: z.number().min(0).optional(),
  /** Counts up per record; an update whose `logSequence` was seen before does not append its log again. */
  logSequence: z.number().int().min(1).optional(),
});
export type AgentRecordUpdate = z.output<typeof agentRecordUpdateSchema>;
/** `cancel`: the master wants this run stopped (version 2). */
export const agentRecordUpdateOutputSchema = z.object({ status: z.literal('ok'), cancel: z.boolean().optional() });

export const agentRestoreSpecSchema = z.object({
  restoreRecordId: idSchema,
  backupRecordId: idSchema,
  taskId: idSchema,
  taskName: z.string(),
  type: z.string(),
  sourcePath: z.string().optional(),
  sourcePaths: z.array(z.string()).optional(),
  dbHost: z.string().optional(),
  dbPort: z.number().optional(),
  dbUser: z.string().optional(),
  dbPassword: z.string().optional(),
  dbName: z.string().optional(),
  dbPath: z.string().optional(),
  extraConfig: z.string().optional(),
  compression: z.string(),
  encrypt: z.boolean(),
  storage: agentStorageTargetSchema,
  storagePath: z.string(),
  fileName: z.string(),
  checksum: z.string().optional(),
  // version 2
  artifact: storedArtifactSchema.optional(),
  targetPath: z.string().nullable().optional(),
  paths: z.array(z.string()).nullable().optional(),
  overwrite: z.string().optional(),
  dryRun: z.boolean().optional(),
  /** What only this kind of source can be told; sent to agents that announced `inspect_source`. */
  options: z.record(z.string(), z.unknown()).optional(),
});
export type AgentRestoreSpec = z.output<typeof agentRestoreSpecSchema>;

export const agentRestoreUpdateSchema = z.object({
  status: z.enum(['', 'running', 'success', 'failed']).optional(),
  errorMessage: z.string().max(65_536).optional(),
  logAppend: z.string().max(1_048_576).optional(),
  // version 2
  progress: jobProgressSchema.optional(),
  outcome: z.enum(['success', 'warning', 'failed', 'cancelled', 'interrupted']).optional(),
  errorCode: z.string().max(100).optional(),
  itemsWritten: z.number().optional(),
  bytesWritten: z.number().optional(),
  itemsSkipped: z.number().optional(),
  problems: z.array(itemProblemSchema).max(1000).optional(),
  problemCount: z.number().optional(),
  logSequence: z.number().int().min(1).optional(),
});
export type AgentRestoreUpdate = z.output<typeof agentRestoreUpdateSchema>;

/** The job of a maintenance record, with what opens the repository. */
export const agentMaintenanceSpecSchema = z.object({ maintenanceRecordId: idSchema, job: maintenanceJobSchema });
export type AgentMaintenanceSpec = z.output<typeof agentMaintenanceSpecSchema>;

/** The job of a verification, with what opens the artifact. */
export const agentVerificationSpecSchema = z.object({ verifyRecordId: idSchema, job: verifyArtifactJobSchema });
export type AgentVerificationSpec = z.output<typeof agentVerificationSpecSchema>;

/** Maintenance and verifications report in the same way. */
export const agentMaintenanceUpdateSchema = z.object({
  status: z.enum(['', 'running', 'success', 'failed']).optional(),
  errorMessage: z.string().max(65_536).optional(),
  logAppend: z.string().max(1_048_576).optional(),
  progress: jobProgressSchema.optional(),
  outcome: z.enum(['success', 'failed', 'cancelled', 'interrupted']).optional(),
  errorCode: z.string().max(100).optional(),
  /** The job's own result, with `success`. */
  result: z.unknown().optional(),
  logSequence: z.number().int().min(1).optional(),
});
export type AgentMaintenanceUpdate = z.output<typeof agentMaintenanceUpdateSchema>;

/** Headers of a relay upload. `sha256` (hex) and Content-Length are sent when the whole artifact is known beforehand. */
export const relayHeaders = { objectKey: 'x-backupx-object-key', sha256: 'x-backupx-sha256' } as const;

/**
 * Relay upload: the body is the stored bytes. An old agent knows size and checksum before it starts and sends both;
 * ours streams (chunked, no checksum header), compares the answered checksum with its own, and reports it.
 */
export const relayUploadOutputSchema = z.object({
  storagePath: z.string(),
  fileSize: z.number(),
  checksum: z.string(),
});

export const agentRoutes = {
  heartbeat: defineRoute({
    method: 'POST',
    path: '/api/agent/heartbeat',
    access: 'agent',
    summary: 'Say that the agent is alive',
    body: heartbeatBodySchema,
    output: heartbeatOutputSchema,
    errors: ['NODE_INVALID_TOKEN'],
  }),
  poll: defineRoute({
    method: 'POST',
    path: '/api/agent/commands/poll',
    access: 'agent',
    summary: 'Fetch the next command',
    body: pollBodySchema,
    output: pollOutputSchema,
    errors: ['NODE_INVALID_TOKEN'],
  }),
  commandResult: defineRoute({
    method: 'POST',
    path: '/api/agent/commands/:id/result',
    access: 'agent',
    summary: 'Report how a command ended',
    params: idParams,
    body: commandResultBodySchema,
    output: okOutput,
    bodyLimit: 8 * 1024 * 1024,
    errors: ['NODE_INVALID_TOKEN', 'AGENT_COMMAND_NOT_FOUND', 'AGENT_COMMAND_FORBIDDEN'],
  }),
  taskSpec: defineRoute({
    method: 'GET',
    path: '/api/agent/tasks/:id',
    access: 'agent',
    summary: 'Specification of a task that is being run',
    params: idParams,
    output: agentTaskSpecSchema,
    errors: ['NODE_INVALID_TOKEN', 'BACKUP_TASK_NOT_FOUND', 'BACKUP_TASK_FORBIDDEN'],
  }),
  recordUpdate: defineRoute({
    method: 'POST',
    path: '/api/agent/records/:id',
    access: 'agent',
    summary: 'Report status and log of a run',
    params: idParams,
    body: agentRecordUpdateSchema,
    output: agentRecordUpdateOutputSchema,
    bodyLimit: 4 * 1024 * 1024,
    errors: ['NODE_INVALID_TOKEN', 'BACKUP_RECORD_NOT_FOUND', 'BACKUP_RECORD_FORBIDDEN'],
  }),
  relayUpload: defineRoute({
    method: 'PUT',
    path: '/api/agent/records/:id/artifacts/:targetId',
    access: 'agent',
    summary: 'Store an artifact through the master',
    params: z.object({ id: idParamSchema, targetId: idParamSchema }),
    output: relayUploadOutputSchema,
    bodyLimit: 'raw',
    errors: [
      'NODE_INVALID_TOKEN',
      'BACKUP_RECORD_NOT_FOUND',
      'BACKUP_RECORD_FORBIDDEN',
      'STORAGE_INVALID_KEY',
      'STORAGE_FULL',
    ],
  }),
  restoreSpec: defineRoute({
    method: 'GET',
    path: '/api/agent/restores/:id/spec',
    access: 'agent',
    summary: 'Specification of a restore',
    params: idParams,
    output: agentRestoreSpecSchema,
    errors: ['NODE_INVALID_TOKEN', 'RESTORE_RECORD_NOT_FOUND', 'RESTORE_RECORD_FORBIDDEN'],
  }),
  restoreArtifact: defineRoute({
    method: 'GET',
    path: '/api/agent/restores/:id/artifact',
    access: 'agent',
    summary: 'Stored bytes of the artifact, through the master',
    params: idParams,
    kind: 'stream',
    errors: ['NODE_INVALID_TOKEN', 'RESTORE_RECORD_NOT_FOUND', 'RESTORE_RECORD_FORBIDDEN'],
  }),
  restoreUpdate: defineRoute({
    method: 'POST',
    path: '/api/agent/restores/:id',
    access: 'agent',
    summary: 'Report status and log of a restore',
    params: idParams,
    body: agentRestoreUpdateSchema,
    output: agentRecordUpdateOutputSchema,
    bodyLimit: 4 * 1024 * 1024,
    errors: ['NODE_INVALID_TOKEN', 'RESTORE_RECORD_NOT_FOUND', 'RESTORE_RECORD_FORBIDDEN'],
  }),
  verificationSpec: defineRoute({
    method: 'GET',
    path: '/api/agent/verifications/:id/spec',
    access: 'agent',
    summary: 'Job of a verification',
    params: idParams,
    output: agentVerificationSpecSchema,
    errors: ['NODE_INVALID_TOKEN', 'VERIFY_RECORD_NOT_FOUND', 'VERIFY_RECORD_FORBIDDEN'],
  }),
  verificationUpdate: defineRoute({
    method: 'POST',
    path: '/api/agent/verifications/:id',
    access: 'agent',
    summary: 'Report status and log of a verification',
    params: idParams,
    body: agentMaintenanceUpdateSchema,
    output: agentRecordUpdateOutputSchema,
    bodyLimit: 4 * 1024 * 1024,
    errors: ['NODE_INVALID_TOKEN', 'VERIFY_RECORD_NOT_FOUND', 'VERIFY_RECORD_FORBIDDEN'],
  }),
  maintenanceSpec: defineRoute({
    method: 'GET',
    path: '/api/agent/maintenance/:id/spec',
    access: 'agent',
    summary: 'Job of a maintenance record',
    params: idParams,
    output: agentMaintenanceSpecSchema,
    errors: ['NODE_INVALID_TOKEN', 'MAINTENANCE_RECORD_NOT_FOUND', 'MAINTENANCE_RECORD_FORBIDDEN'],
  }),
  maintenanceUpdate: defineRoute({
    method: 'POST',
    path: '/api/agent/maintenance/:id',
    access: 'agent',
    summary: 'Report status and log of maintenance',
    params: idParams,
    body: agentMaintenanceUpdateSchema,
    output: agentRecordUpdateOutputSchema,
    bodyLimit: 16 * 1024 * 1024,
    errors: ['NODE_INVALID_TOKEN', 'MAINTENANCE_RECORD_NOT_FOUND', 'MAINTENANCE_RECORD_FORBIDDEN'],
  }),
  self: defineRoute({
    method: 'GET',
    path: '/api/v1/agent/self',
    access: 'agent',
    summary: 'Who this token belongs to',
    output: z.object({
      id: idSchema,
      name: z.string(),
      status: z.string(),
      hostname: z.string(),
      lastSeen: z.string().nullable(),
    }),
    errors: ['NODE_INVALID_TOKEN'],
  }),
} as const;
