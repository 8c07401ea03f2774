/** Repositories: deduplicating stores in restic's format, one per node and storage target unless somebody wants otherwise. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQueryShape, okOutput, pageOf, timeSchema } from '../define-route.ts';
import { snapshotSchema } from '../jobs.ts';

/**
 * `new`: its first run makes it. `ok`: as far as we know. `damaged`: the last check found something that cannot be
 * restored. Whether the storage answers now is asked by looking at its snapshots.
 */
export const repositoryStateSchema = z.enum(['new', 'ok', 'damaged']);
export type RepositoryState = z.output<typeof repositoryStateSchema>;

/** When it is kept healthy by itself; 0 days: only by hand. Runs wait for the installation's maintenance window. */
export const maintenancePlanSchema = z.object({
  pruneEveryDays: z.number().int().min(0).max(365).default(7),
  /** Each check reads the structure and a share of the data such that everything is read within a month. */
  checkEveryDays: z.number().int().min(0).max(365).default(7),
});

export const repositorySchema = z
  .object({
    id: idSchema,
    name: z.string(),
    state: repositoryStateSchema,
    storageTargetId: idSchema,
    storageTargetName: z.string(),
    storageType: z.string(),
    /** Folder inside the storage; empty: its root. */
    prefix: z.string(),
    /** The whole place for people, e.g. `/srv/backups/repositories/web-1-3` or `s3:https://…/bucket/folder`. */
    location: z.string(),
    /** The node it belongs to, 0: none (adopted ones). */
    nodeId: z.number(),
    nodeName: z.string(),
    /** Hex id and format version; empty and 0 while `new`. */
    repositoryId: z.string(),
    version: z.number(),
    isAdopted: z.boolean(),
    /** False: it lies on the disk of its node, so only that node can open it. */
    isReachableFromMaster: z.boolean(),
    /** Path of the master's restic REST server for it, e.g. `/r/3/`; empty when the master cannot reach it. */
    gatewayPath: z.string(),
    /** Bytes that may be stored through the gateway; 0: no limit. */
    quotaBytes: z.number(),
    ...maintenancePlanSchema.shape,
    /** Bytes our runs stored in it less what clean-ups freed: an estimate; exact after each clean-up. */
    storedBytes: z.number(),
    /** Records that point to a snapshot in it. */
    recordCount: z.number(),
    taskCount: z.number(),
    /** Packs that a clean-up has found and that wait to be deleted until older runs have ended. */
    condemnedPacks: z.number(),
    /** Runs that use it right now. */
    activeLeases: z.number(),
    lastCheckAt: timeSchema.nullable(),
    lastCheckOk: z.boolean().nullable(),
    /** What the last check found; 0: nothing. */
    problemCount: z.number(),
    lastPruneAt: timeSchema.nullable(),
    nextCheckAt: timeSchema.nullable(),
    nextPruneAt: timeSchema.nullable(),
    /** Maintenance that runs now; null: none. */
    runningMaintenanceId: idSchema.nullable(),
    /** Foreign clients have a token for the gateway. */
    hasGatewayToken: z.boolean(),
    recoveryKitDownloadedAt: timeSchema.nullable(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .meta({ id: 'Repository' });
export type Repository = z.output<typeof repositorySchema>;

const repositoryName = z.string().trim().min(1).max(100);
/** Folder in a storage: no leading slash, no `..`. */
const prefixSchema = z
  .string()
  .trim()
  .max(500)
  .transform((value) => value.replace(/^\/+|\/+$/g, ''));

export const createRepositoryInputSchema = z.object({
  name: repositoryName.optional(),
  storageTargetId: idSchema,
  /** The node that backs up into it; 0 or missing: the local node. */
  nodeId: z.number().int().min(0).default(0),
  /** Missing: `repositories/<node>-<id>`. */
  prefix: prefixSchema.optional(),
  /** Missing: a strong random one, shown in the recovery kit. */
  password: z.string().min(1).max(1024).optional(),
});
export type CreateRepositoryInput = z.input<typeof createRepositoryInputSchema>;

export const adoptRepositoryInputSchema = z.object({
  name: repositoryName.optional(),
  storageTargetId: idSchema,
  prefix: prefixSchema.default(''),
  password: z.string().min(1).max(1024),
  /** Node whose disk it lies on, when the target is a folder of that node; 0 or missing: the master's. */
  nodeId: z.number().int().min(0).default(0),
});
export type AdoptRepositoryInput = z.input<typeof adoptRepositoryInputSchema>;

export const updateRepositoryInputSchema = z.object({
  name: repositoryName.optional(),
  quotaBytes: z.number().int().min(0).optional(),
  pruneEveryDays: z.number().int().min(0).max(365).optional(),
  checkEveryDays: z.number().int().min(0).max(365).optional(),
});

/** A snapshot as the master knows it: what lies in the repository, joined with our records and with arrivals. */
export const repositorySnapshotSchema = snapshotSchema
  .extend({
    /** Record of ours that points to it; null: made by somebody else (stock restic, another installation). */
    recordId: idSchema.nullable(),
    taskId: idSchema.nullable(),
    taskName: z.string(),
    /** When the master saw it come (end of our run, upload through the gateway); null: it was there before. */
    arrivedAt: timeSchema.nullable(),
    /** Its own time differs from its arrival by more than an hour: do not trust its date. */
    isTimeSuspect: z.boolean(),
  })
  .meta({ id: 'RepositorySnapshot' });
export type RepositorySnapshot = z.output<typeof repositorySnapshotSchema>;

const nodeErrors = ['NODE_OFFLINE', 'AGENT_COMMAND_TIMEOUT', 'NOT_SUPPORTED'] as const;
export const openErrors = [
  'REPOSITORY_NOT_FOUND',
  'REPOSITORY_WRONG_PASSWORD',
  'REPOSITORY_UNSUPPORTED',
  'REPOSITORY_DAMAGED',
  ...nodeErrors,
] as const;

export const repositoryRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/repositories',
    access: 'viewer',
    summary: 'Repositories',
    query: z.object({
      ...listQueryShape,
      storageTargetId: z.coerce.number().int().optional(),
      nodeId: z.coerce.number().int().optional(),
      state: repositoryStateSchema.optional(),
    }),
    output: pageOf(repositorySchema),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id',
    access: 'viewer',
    summary: 'One repository',
    params: idParams,
    output: repositorySchema,
    errors: ['REPOSITORY_NOT_FOUND'],
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/repositories',
    access: 'operator',
    summary: 'Make a repository on a storage target; administrators get its recovery kit with the answer',
    audit: 'repository.create',
    body: createRepositoryInputSchema,
    output: z.object({ repository: repositorySchema, recoveryKit: z.string().nullable() }),
    errors: ['STORAGE_TARGET_NOT_FOUND', 'NODE_NOT_FOUND', 'REPOSITORY_EXISTS', ...nodeErrors],
  }),
  adopt: defineRoute({
    method: 'POST',
    path: '/api/repositories/adopt',
    access: 'operator',
    summary: 'Take in an existing restic repository by place and password',
    audit: 'repository.adopt',
    body: adoptRepositoryInputSchema,
    output: z.object({ repository: repositorySchema, snapshotCount: z.number() }),
    errors: ['STORAGE_TARGET_NOT_FOUND', 'NODE_NOT_FOUND', 'REPOSITORY_EXISTS', ...openErrors],
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/repositories/:id',
    access: 'operator',
    summary: 'Rename a repository, change its limits and its maintenance plan',
    audit: 'repository.update',
    params: idParams,
    body: updateRepositoryInputSchema,
    output: repositorySchema,
    errors: ['REPOSITORY_NOT_FOUND'],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/repositories/:id',
    access: 'admin',
    summary: 'Forget a repository (and its password: keep the recovery kit); its data stays in the storage',
    audit: 'repository.delete',
    params: idParams,
    output: okOutput,
    errors: ['REPOSITORY_NOT_FOUND', 'REPOSITORY_IN_USE'],
  }),
  issueToken: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/gateway-token',
    access: 'admin',
    summary: "New token for stock restic at the master's REST server; `token` is shown this once, the old one ends",
    audit: 'repository.issue_token',
    params: idParams,
    output: z.object({
      /** User name and token of HTTP basic authentication. */
      username: z.string(),
      token: z.string(),
      /** Path below the master's address. */
      path: z.string(),
    }),
    errors: ['REPOSITORY_NOT_FOUND', 'NOT_SUPPORTED'],
  }),
  revokeToken: defineRoute({
    method: 'DELETE',
    path: '/api/repositories/:id/gateway-token',
    access: 'admin',
    summary: 'End the token of foreign clients',
    audit: 'repository.revoke_token',
    params: idParams,
    output: okOutput,
    errors: ['REPOSITORY_NOT_FOUND'],
  }),
  recoveryKit: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/recovery-kit',
    access: 'admin',
    summary: 'Place, password and the three stock-restic commands; `format=html` is a printable page',
    audit: 'repository.recovery_kit',
    params: idParams,
    query: z.object({ format: z.enum(['text', 'html']).default('text') }),
    kind: 'text',
    errors: ['REPOSITORY_NOT_FOUND'],
  }),
} as const;
