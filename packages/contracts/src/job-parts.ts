/** What several jobs share: drivers, targets, problems, repositories, stored artifacts. Plain data, see `jobs.ts`. */
import { z } from 'zod';
import { idSchema } from './define-route.ts';

/** Settings of one driver, opened. Never stored, never logged. */
export const driverSettingsSchema = z.object({
  type: z.string(),
  config: z.record(z.string(), z.unknown()),
});
export type DriverSettings = z.output<typeof driverSettingsSchema>;

/** A storage target as a job sees it. `viaMaster`: bytes go through the master's relay instead of straight there. */
export const jobTargetSchema = driverSettingsSchema.extend({
  id: idSchema,
  name: z.string(),
  viaMaster: z.boolean().default(false),
});
export type JobTarget = z.output<typeof jobTargetSchema>;

export const compressionSchema = z.enum(['none', 'gzip', 'zstd']);
export type Compression = z.output<typeof compressionSchema>;

export const overwriteModeSchema = z.enum(['never', 'if_newer', 'always']);
export type OverwriteMode = z.output<typeof overwriteModeSchema>;

/** One item that could not be handled as asked; makes a result a `warning`. */
export const itemProblemSchema = z.object({
  /** Path as the user knows it; bytes that are not UTF-8 are shown as `\xNN`. */
  path: z.string(),
  code: z.enum([
    'vanished',
    'changed',
    'unreadable',
    'unsupported',
    'metadata',
    'write_failed',
    'skipped',
    'upload_failed',
    'unsafe',
    'inconsistent',
  ]),
  message: z.string(),
});
export type ItemProblem = z.output<typeof itemProblemSchema>;

/**
 * A repository as a job sees it: where it lies and what opens it. Secrets inside; never stored, never logged.
 * `viaMaster` targets are reached through the master's gateway, which knows the repository by `id`.
 */
export const repositoryAccessSchema = z.object({
  /** Id in the master; 0: none (the command line without a server). */
  id: z.number().int().min(0),
  target: jobTargetSchema,
  /** Folder of the repository inside the storage, without slash at either end; `''`: the storage's root. */
  prefix: z.string(),
  /** `masterKey`: base64 of the 64 bytes encrypt‖k‖r; saves the key derivation. */
  unlock: z.union([z.object({ password: z.string() }), z.object({ masterKey: z.string() })]),
  /** Session in the master's lease list, 0: none. Work with a lease is ordered by the master, see `locks.ts`. */
  leaseId: z.number().int().min(0).default(0),
  /**
   * Which list that is: an installation and its entry of this repository. Another master that has the same repository
   * counts its leases for itself, so they say nothing here. Left out: none.
   */
  leaseScope: z
    .string()
    .regex(/^[a-z0-9]{1,40}$/)
    .optional(),
  /** Packs (hex) that a garbage collection has condemned: nothing new may refer to them. */
  condemnedPacks: z.array(z.string()).default([]),
});
export type RepositoryAccess = z.output<typeof repositoryAccessSchema>;

/** Where an artifact lies and what is needed to open it; shared by restore, verify, browse. */
export const storedArtifactSchema = z.object({
  target: jobTargetSchema,
  storagePath: z.string(),
  contentsPath: z.string().nullable(),
  fileName: z.string(),
  /** SHA-256 hex of the stored bytes; null when the writer reported none. */
  checksum: z.string().nullable(),
  fileSize: z.number().nullable(),
  /** age identities (`AGE-SECRET-KEY-1…`) that may open it; null: not encrypted. */
  encryption: z.object({ identities: z.array(z.string()).min(1) }).nullable(),
  /** Set: the artifact is a snapshot of a repository; `storagePath` is its snapshot file. */
  snapshot: z.object({ repository: repositoryAccessSchema, snapshotId: z.string() }).nullish(),
});
export type StoredArtifact = z.output<typeof storedArtifactSchema>;

export const artifactEntrySchema = z.object({
  name: z.string(),
  /** Absolute path at the source. */
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'hardlink', 'fifo', 'char_device', 'block_device']),
  size: z.number(),
  /** RFC 3339. */
  modifiedAt: z.string().nullable(),
  mode: z.number().nullable(),
  linkTarget: z.string().optional(),
});
export type ArtifactEntry = z.output<typeof artifactEntrySchema>;
