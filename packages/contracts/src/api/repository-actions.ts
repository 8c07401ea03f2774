/** Work on a repository: check, clean up, repair, copy, forget, locks, keys. Long work answers its maintenance record. */
import { z } from 'zod';
import { defineRoute, idParamSchema, idParams, idSchema } from '../define-route.ts';
import { keepPolicySchema, repositoryKeysResultSchema, unlockRepositoryResultSchema } from '../jobs.ts';
import { maintenanceRecordSchema } from './maintenance.ts';
import { openErrors } from './repositories.ts';

const workErrors = [...openErrors, 'REPOSITORY_BUSY', 'REPOSITORY_LOCKED'] as const;

export const repositoryActionRoutes = {
  check: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/check',
    access: 'operator',
    summary: 'Check a repository: its structure, a share of its data, or every byte',
    audit: 'repository.check',
    params: idParams,
    body: z.object({
      read: z
        .union([
          z.enum(['structure', 'all']),
          z.object({ n: z.number().int().min(1), of: z.number().int().min(1).max(10_000) }),
        ])
        .default('structure'),
    }),
    output: maintenanceRecordSchema,
    errors: workErrors,
  }),
  prune: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/prune',
    access: 'operator',
    summary: 'Clean up: find what no snapshot needs; it is deleted when older runs have ended',
    audit: 'repository.prune',
    params: idParams,
    body: z.object({
      maxUnusedShare: z.number().min(0).max(1).default(0.05),
      /** Only say what would be done. */
      dryRun: z.boolean().default(false),
    }),
    output: maintenanceRecordSchema,
    errors: workErrors,
  }),
  repair: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/repair',
    access: 'admin',
    summary: 'Rebuild the index, or rewrite damaged snapshots without what is lost',
    audit: 'repository.repair',
    params: idParams,
    body: z.object({
      what: z.enum(['index', 'snapshots']),
      /** `index`: verify every blob on the way. */
      readAllPacks: z.boolean().default(false),
      /** `snapshots`: the damaged originals go. */
      forget: z.boolean().default(false),
      dryRun: z.boolean().default(false),
    }),
    output: maintenanceRecordSchema,
    errors: workErrors,
  }),
  copy: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/copy',
    access: 'operator',
    summary: 'Copy snapshots into another repository',
    audit: 'repository.copy',
    params: idParams,
    body: z.object({
      toRepositoryId: idSchema,
      /** Missing or null: all that are not there yet. */
      snapshotIds: z
        .array(z.string().regex(/^[0-9a-f]{4,64}$/))
        .min(1)
        .max(10_000)
        .nullable()
        .default(null),
    }),
    output: maintenanceRecordSchema,
    errors: workErrors,
  }),
  forget: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/forget',
    access: 'operator',
    summary: 'Remove snapshots no record points to: these, or those a policy does not keep. Ours go with their records',
    audit: 'repository.forget',
    params: idParams,
    body: z.object({
      snapshotIds: z
        .array(z.string().regex(/^[0-9a-f]{4,64}$/))
        .min(1)
        .max(10_000)
        .nullable()
        .default(null),
      policy: keepPolicySchema.nullable().default(null),
      dryRun: z.boolean().default(false),
    }),
    output: maintenanceRecordSchema,
    errors: workErrors,
  }),
  unlock: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/unlock',
    access: 'operator',
    summary: 'Remove stale locks, with the reason for each; `all`: also those of work that may be alive',
    audit: 'repository.unlock',
    params: idParams,
    body: z.object({ all: z.boolean().default(false) }),
    output: unlockRepositoryResultSchema,
    errors: openErrors,
  }),
  keys: defineRoute({
    method: 'GET',
    path: '/api/repositories/:id/keys',
    access: 'admin',
    summary: 'Keys of a repository: each opens it with a password of its own',
    params: idParams,
    output: repositoryKeysResultSchema.pick({ keys: true }),
    errors: openErrors,
  }),
  addKey: defineRoute({
    method: 'POST',
    path: '/api/repositories/:id/keys',
    access: 'admin',
    summary: 'Add a key with its own password',
    audit: 'repository.key_add',
    params: idParams,
    body: z.object({ password: z.string().min(8).max(1024) }),
    output: repositoryKeysResultSchema,
    errors: openErrors,
  }),
  removeKey: defineRoute({
    method: 'DELETE',
    path: '/api/repositories/:id/keys/:keyId',
    access: 'admin',
    summary: 'Take a key away; never the one in the recovery kit',
    audit: 'repository.key_remove',
    params: z.object({ id: idParamSchema, keyId: z.string().regex(/^[0-9a-f]{64}$/) }),
    output: repositoryKeysResultSchema.pick({ keys: true }),
    errors: [...openErrors, 'CONFLICT'],
  }),
} as const;
