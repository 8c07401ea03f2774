/** What lies in a repository: its snapshots and their contents, looked at without copying anything. */
import { z } from 'zod';
import { defineRoute, idParamSchema, idParams, idSchema } from '../define-route.ts';
import {
  browseArtifactResultSchema,
  diffSnapshotsResultSchema,
  findInRepositoryResultSchema,
  overwriteModeSchema,
} from '../jobs.ts';
import { restoreRecordSchema } from './records.ts';
import { openErrors, repositorySnapshotSchema } from './repositories.ts';

/** Full hex id, a unique beginning of it, or `latest`. */
const snapshotParamSchema = z.string().regex(/^(latest|[0-9a-f]{4,64})$/);
const snapshotParams = z.object({ id: idParamSchema, snapshotId: snapshotParamSchema });
const snapshotErrors = [...openErrors, 'SNAPSHOT_NOT_FOUND', 'SNAPSHOT_AMBIGUOUS', 'SNAPSHOT_ENDLESS'] as const;

export const repositorySnapshotRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/snapshots',
    access: 'viewer',
    summary: 'Snapshots, newest first',
    params: idParams,
    query: z.object({
      hostname: z.string().max(255).optional(),
      tag: z.string().max(200).optional(),
      path: z.string().max(4096).optional(),
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(1000).default(200),
    }),
    output: z.object({ items: z.array(repositorySnapshotSchema), total: z.number(), hostnames: z.array(z.string()) }),
    errors: openErrors,
  }),
  contents: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/snapshots/:snapshotId/contents',
    access: 'viewer',
    summary: 'One folder of a snapshot, or a search through it',
    params: snapshotParams,
    query: z.object({
      path: z.string().max(4096).default(''),
      q: z.string().max(200).optional(),
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(1000).default(200),
    }),
    output: browseArtifactResultSchema,
    errors: snapshotErrors,
  }),
  find: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/find',
    access: 'viewer',
    summary: 'Find by name or glob through all or some snapshots; one hit per version of an item',
    params: idParams,
    query: z.object({
      pattern: z.string().min(1).max(1000),
      /** Comma separated ids; missing: all. */
      snapshotIds: z.string().max(10_000).optional(),
      limit: z.coerce.number().int().min(1).max(10_000).default(200),
    }),
    output: findInRepositoryResultSchema,
    errors: snapshotErrors,
  }),
  diff: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/diff',
    access: 'viewer',
    summary: 'What changed from one snapshot to another',
    params: idParams,
    query: z.object({
      from: snapshotParamSchema,
      to: snapshotParamSchema,
      limit: z.coerce.number().int().min(1).max(100_000).default(2000),
    }),
    output: diffSnapshotsResultSchema,
    errors: snapshotErrors,
  }),
  download: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/snapshots/:snapshotId/download',
    access: 'operator',
    summary: 'A snapshot or a folder of it as tar or zip, one file as it is (`raw`)',
    audit: 'repository.download',
    params: snapshotParams,
    query: z.object({
      /** Absolute path at the source; missing: everything. */
      path: z.string().max(4096).default(''),
      format: z.enum(['tar', 'zip', 'raw']).default('tar'),
    }),
    kind: 'stream',
    errors: snapshotErrors,
  }),
  restore: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/snapshots/:snapshotId/restore',
    access: 'operator',
    summary: 'Restore from a snapshot, whoever made it',
    audit: 'repository.restore',
    params: snapshotParams,
    body: z.object({
      /** Absolute folder; required: the original place of a foreign snapshot may be anywhere. */
      targetPath: z.string().min(1).max(4096),
      paths: z.array(z.string().max(4096)).max(10_000).optional(),
      /** Where to restore; missing: the local node, or the repository's own when only that reaches it. */
      nodeId: idSchema.optional(),
      overwrite: overwriteModeSchema.default('never'),
      dryRun: z.boolean().default(false),
    }),
    output: restoreRecordSchema,
    errors: [...snapshotErrors, 'RESTORE_TARGET_INVALID'],
  }),
} as const;
