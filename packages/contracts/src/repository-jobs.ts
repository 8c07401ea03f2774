/** Jobs on repositories: making, looking, keeping healthy, copying. Plain data, see `jobs.ts`. */
import { z } from 'zod';
import { artifactEntrySchema, jobTargetSchema, repositoryAccessSchema } from './job-parts.ts';

const repositoryJob = { repository: repositoryAccessSchema };

/** Makes a new repository, or looks at an existing one with `adopt`. */
export const initRepositoryJobSchema = z.object({
  kind: z.literal('init_repository'),
  target: jobTargetSchema,
  id: z.number().int().min(0),
  prefix: z.string(),
  password: z.string().min(1),
  /** Hex, no 0x; null: a new random one. Same polynomial as its siblings, so that copies keep dedup. */
  chunkerPolynomial: z.string().nullable(),
  adopt: z.boolean(),
  hostname: z.string(),
});
export type InitRepositoryJob = z.output<typeof initRepositoryJobSchema>;
export const initRepositoryResultSchema = z.object({
  /** Hex id out of the repository's config. */
  repositoryId: z.string(),
  version: z.number(),
  chunkerPolynomial: z.string(),
  /** base64, see `repositoryAccessSchema`. */
  masterKey: z.string(),
  snapshotCount: z.number(),
});
export type InitRepositoryResult = z.output<typeof initRepositoryResultSchema>;

export const snapshotSchema = z.object({
  id: z.string(),
  time: z.string(),
  hostname: z.string(),
  username: z.string(),
  paths: z.array(z.string()),
  tags: z.array(z.string()),
  tree: z.string(),
  parent: z.string().nullable(),
  programVersion: z.string(),
  /** Null in snapshots of old programs. */
  summary: z
    .object({
      filesNew: z.number(),
      filesChanged: z.number(),
      filesUnmodified: z.number(),
      bytesAdded: z.number(),
      bytesStored: z.number(),
      filesProcessed: z.number(),
      bytesProcessed: z.number(),
    })
    .nullable(),
});
export type SnapshotInfo = z.output<typeof snapshotSchema>;
export const listSnapshotsJobSchema = z.object({
  kind: z.literal('list_snapshots'),
  ...repositoryJob,
  hostname: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  path: z.string().nullable().default(null),
});
export type ListSnapshotsJob = z.output<typeof listSnapshotsJobSchema>;
/** Oldest first. */
export const listSnapshotsResultSchema = z.object({ snapshots: z.array(snapshotSchema) });
export type ListSnapshotsResult = z.output<typeof listSnapshotsResultSchema>;

/** Finds items by name or glob in some or all snapshots; one hit per version of an item. */
/** A folder whose list cannot be read, and the snapshots in which it cannot. */
const unreadFolderSchema = z.object({ path: z.string(), snapshotIds: z.array(z.string()), message: z.string() });

export const findInRepositoryJobSchema = z.object({
  kind: z.literal('find_in_repository'),
  ...repositoryJob,
  /** Glob on the name (`*.conf`), or on the whole path when it holds a `/`; case-insensitive without capitals. */
  pattern: z.string().min(1),
  /** Ids or prefixes; null: all. */
  snapshotIds: z.array(z.string()).nullable().default(null),
  limit: z.number().int().min(1).max(10_000).default(1000),
});
export type FindInRepositoryJob = z.output<typeof findInRepositoryJobSchema>;
export const findInRepositoryResultSchema = z.object({
  hits: z.array(
    artifactEntrySchema.extend({
      /** Snapshots that hold exactly this version, oldest first. */
      snapshotIds: z.array(z.string()),
    }),
  ),
  truncated: z.boolean(),
  /** Folders that are damaged and were not looked through; at most 100. */
  unread: z.array(unreadFolderSchema).default([]),
});
export type FindInRepositoryResult = z.output<typeof findInRepositoryResultSchema>;

export const diffSnapshotsJobSchema = z.object({
  kind: z.literal('diff_snapshots'),
  ...repositoryJob,
  from: z.string(),
  to: z.string(),
  limit: z.number().int().min(1).max(100_000).default(10_000),
});
export type DiffSnapshotsJob = z.output<typeof diffSnapshotsJobSchema>;
export const diffSnapshotsResultSchema = z.object({
  changes: z.array(
    z.object({
      path: z.string(),
      change: z.enum(['added', 'removed', 'content', 'metadata', 'type']),
      sizeBefore: z.number().nullable(),
      sizeAfter: z.number().nullable(),
    }),
  ),
  added: z.number(),
  removed: z.number(),
  changed: z.number(),
  truncated: z.boolean(),
  /** Folders that are damaged in one of the two; neither they nor what is below them was compared. At most 100. */
  unread: z.array(unreadFolderSchema).default([]),
});
export type DiffSnapshotsResult = z.output<typeof diffSnapshotsResultSchema>;

export const keepPolicySchema = z.object({
  last: z.number().int().min(0).default(0),
  hourly: z.number().int().min(0).default(0),
  daily: z.number().int().min(0).default(0),
  weekly: z.number().int().min(0).default(0),
  monthly: z.number().int().min(0).default(0),
  yearly: z.number().int().min(0).default(0),
  /** Hours back from the newest snapshot of the group; 0: not used. */
  withinHours: z.number().int().min(0).default(0),
  tags: z.array(z.string()).default([]),
});
export type KeepPolicy = z.output<typeof keepPolicySchema>;
export const forgetSnapshotsJobSchema = z.object({
  kind: z.literal('forget_snapshots'),
  ...repositoryJob,
  /** Either these snapshots, or everything that the policy does not keep (grouped by host and paths). */
  snapshotIds: z.array(z.string()).nullable(),
  policy: keepPolicySchema.nullable(),
  /** Never removed, whatever the policy says. */
  lockedIds: z.array(z.string()).default([]),
  /** The only ones that a policy may remove: those known when `lockedIds` was made. Left out: all. */
  candidateIds: z.array(z.string()).optional(),
  /**
   * When snapshots came, by a clock that whoever wrote them could not set; a policy counts by that, and what has a date
   * that cannot be right neither counts nor goes. Left out: dates are believed, as stock programs do.
   */
  arrivals: z.array(z.object({ id: z.string(), startedAt: z.string().nullable(), arrivedAt: z.string() })).optional(),
  dryRun: z.boolean(),
});
export type ForgetSnapshotsJob = z.output<typeof forgetSnapshotsJobSchema>;
export const forgetSnapshotsResultSchema = z.object({
  removed: z.array(snapshotSchema),
  kept: z.array(snapshotSchema.extend({ reasons: z.array(z.string()) })),
});
export type ForgetSnapshotsResult = z.output<typeof forgetSnapshotsResultSchema>;

export const pruneRepositoryJobSchema = z.object({
  kind: z.literal('prune_repository'),
  ...repositoryJob,
  /** Share of unused bytes that may stay, 0 to 1. */
  maxUnusedShare: z.number().min(0).max(1).default(0.05),
  /** Bytes of packs that may be written anew without what is unused; 0: none, null: as many as it takes. */
  maxRepackBytes: z.number().min(0).nullable().default(null),
  dryRun: z.boolean().default(false),
  /**
   * `exclusive`: mark and sweep under one exclusive lock, as stock programs do.
   * `mark`: find, repack and name condemned packs beside running backups; deletes nothing.
   * `sweep`: delete `repository.condemnedPacks` that no snapshot needs, under the exclusive lock.
   */
  phase: z.enum(['exclusive', 'mark', 'sweep']).default('exclusive'),
  /** Leases younger than the mark: their locks do not stop a sweep. */
  youngerLeases: z.array(z.number().int()).default([]),
  /** All leases after this one are younger as well: a run may begin at the same moment as the sweep. Left out: only those listed. */
  lastOlderLease: z.number().int().optional(),
});
export type PruneRepositoryJob = z.output<typeof pruneRepositoryJobSchema>;
export const pruneRepositoryResultSchema = z.object({
  packsBefore: z.number(),
  packsRemoved: z.number(),
  packsRepacked: z.number(),
  bytesBefore: z.number(),
  /** `mark` and a dry run: what will or would be. */
  bytesFreed: z.number(),
  bytesUnusedLeft: z.number(),
  /** `mark`: packs to hide from new leases and to sweep later. */
  condemnedPacks: z.array(z.string()),
});
export type PruneRepositoryResult = z.output<typeof pruneRepositoryResultSchema>;

export const checkRepositoryJobSchema = z.object({
  kind: z.literal('check_repository'),
  ...repositoryJob,
  /** `structure` reads index, snapshots and trees; `all` every byte; a part `{n, of}` every byte of that share of packs. */
  read: z.union([z.enum(['structure', 'all']), z.object({ n: z.number().int().min(1), of: z.number().int().min(1) })]),
});
export type CheckRepositoryJob = z.output<typeof checkRepositoryJobSchema>;
export const repositoryProblemSchema = z.object({
  /** What is wrong with what, e.g. `pack_missing`, `pack_damaged`, `blob_missing`, `tree_damaged`, `index_damaged`. */
  code: z.string(),
  /** File in the repository or blob id the problem is about. */
  object: z.string(),
  message: z.string(),
  /** `error`: something cannot be restored; `hint`: waste or untidiness. */
  level: z.enum(['error', 'hint']),
  /** Snapshots and files that are not whole because of it; at most 100 each. */
  snapshotIds: z.array(z.string()).default([]),
  paths: z.array(z.string()).default([]),
});
export type RepositoryProblem = z.output<typeof repositoryProblemSchema>;
export const checkRepositoryResultSchema = z.object({
  status: z.enum(['clean', 'damaged']),
  problems: z.array(repositoryProblemSchema),
  problemCount: z.number(),
  snapshotCount: z.number(),
  /** Snapshots that restore whole. */
  intactSnapshotIds: z.array(z.string()),
  packCount: z.number(),
  blobCount: z.number(),
  bytesRead: z.number(),
});
export type CheckRepositoryResult = z.output<typeof checkRepositoryResultSchema>;

export const repairRepositoryJobSchema = z.object({
  kind: z.literal('repair_repository'),
  ...repositoryJob,
  /** `index`: rebuild it from the packs. `snapshots`: rewrite damaged ones without what is lost (originals go with `forget`). */
  what: z.enum(['index', 'snapshots']),
  /** `index`: verifies every blob; those that are damaged leave the index, the others of their packs are stored anew. */
  readAllPacks: z.boolean().default(false),
  forget: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});
export type RepairRepositoryJob = z.output<typeof repairRepositoryJobSchema>;
export const repairRepositoryResultSchema = z.object({
  /** One sentence per thing that was (or would be) changed. */
  changes: z.array(z.string()),
  newSnapshotIds: z.array(z.string()),
});
export type RepairRepositoryResult = z.output<typeof repairRepositoryResultSchema>;

export const copySnapshotsJobSchema = z.object({
  kind: z.literal('copy_snapshots'),
  from: repositoryAccessSchema,
  to: repositoryAccessSchema,
  /** Null: all that are not there yet. */
  snapshotIds: z.array(z.string()).nullable(),
});
export type CopySnapshotsJob = z.output<typeof copySnapshotsJobSchema>;
export const copySnapshotsResultSchema = z.object({
  copied: z.array(z.object({ from: z.string(), to: z.string() })),
  skipped: z.number(),
  blobsCopied: z.number(),
  bytesStored: z.number(),
});
export type CopySnapshotsResult = z.output<typeof copySnapshotsResultSchema>;

/** Long work on a repository that has a maintenance record of its own. */
export const maintenanceJobSchema = z.discriminatedUnion('kind', [
  checkRepositoryJobSchema,
  pruneRepositoryJobSchema,
  repairRepositoryJobSchema,
  copySnapshotsJobSchema,
  forgetSnapshotsJobSchema,
]);
export type MaintenanceJob = z.output<typeof maintenanceJobSchema>;

export const unlockRepositoryJobSchema = z.object({
  kind: z.literal('unlock_repository'),
  ...repositoryJob,
  /** True: also locks that may belong to living work. */
  all: z.boolean(),
});
export type UnlockRepositoryJob = z.output<typeof unlockRepositoryJobSchema>;
export const unlockRepositoryResultSchema = z.object({
  removed: z.array(z.object({ id: z.string(), holder: z.string(), reason: z.string() })),
  left: z.array(z.object({ id: z.string(), holder: z.string() })),
});
export type UnlockRepositoryResult = z.output<typeof unlockRepositoryResultSchema>;

/** `add` makes a key for `password`; `change` replaces the key that opened the repository; `remove` takes `keyId` away. */
export const repositoryKeysJobSchema = z.object({
  kind: z.literal('repository_keys'),
  ...repositoryJob,
  action: z.enum(['list', 'add', 'remove', 'change']),
  password: z.string().nullable().default(null),
  keyId: z.string().nullable().default(null),
  hostname: z.string().default(''),
});
export type RepositoryKeysJob = z.output<typeof repositoryKeysJobSchema>;
export const repositoryKeysResultSchema = z.object({
  keys: z.array(
    z.object({
      id: z.string(),
      username: z.string(),
      hostname: z.string(),
      created: z.string(),
      /** Opened by the password of this job. */
      isCurrent: z.boolean(),
    }),
  ),
  addedId: z.string().nullable(),
});
export type RepositoryKeysResult = z.output<typeof repositoryKeysResultSchema>;
