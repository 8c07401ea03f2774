/** Storage targets: where artifacts go. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQuery, okOutput, pageOf, timeSchema } from '../define-route.ts';
import { driverManifestSchema } from '../driver-manifest.ts';
import { storageUsageSchema, testStorageResultSchema } from '../jobs.ts';

export const storageTargetInputSchema = z.object({
  name: z.string().trim().min(1).max(100),
  type: z.string().min(1).max(50),
  description: z.string().max(500).default(''),
  enabled: z.boolean().default(true),
  /** Fields of the driver's manifest; a masked secret sent back keeps the stored one. */
  config: z.record(z.string(), z.unknown()),
  /** 0 = no quota. */
  quotaBytes: z.number().int().min(0).default(0),
});
export type StorageTargetInput = z.input<typeof storageTargetInputSchema>;

export const storageTargetSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    type: z.string(),
    description: z.string(),
    enabled: z.boolean(),
    starred: z.boolean(),
    /** Secrets are masked. */
    config: z.record(z.string(), z.unknown()),
    quotaBytes: z.number(),
    /** Bytes of the artifacts we know of, and how many records hold them. */
    storedBytes: z.number(),
    recordCount: z.number(),
    taskCount: z.number(),
    lastTestAt: timeSchema.nullable(),
    lastTestOk: z.boolean().nullable(),
    lastTestMessage: z.string().nullable(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .meta({ id: 'StorageTarget' });
export type StorageTarget = z.output<typeof storageTargetSchema>;

export const storageTargetRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/storage-targets',
    access: 'viewer',
    summary: 'Storage targets',
    query: listQuery,
    output: z.union([pageOf(storageTargetSchema), z.array(storageTargetSchema)]),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/storage-targets/:id',
    access: 'viewer',
    summary: 'One storage target',
    params: idParams,
    output: storageTargetSchema,
    errors: ['STORAGE_TARGET_NOT_FOUND'],
  }),
  usage: defineRoute({
    method: 'GET',
    path: '/api/storage-targets/:id/usage',
    access: 'viewer',
    summary: 'Space used and free, asked from the storage',
    params: idParams,
    output: storageUsageSchema,
    errors: ['STORAGE_TARGET_NOT_FOUND'],
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/storage-targets',
    access: 'operator',
    summary: 'Create a storage target',
    audit: 'storage_target.create',
    body: storageTargetInputSchema,
    output: storageTargetSchema,
    errors: ['STORAGE_TARGET_NAME_TAKEN', 'STORAGE_TYPE_UNKNOWN'],
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/storage-targets/:id',
    access: 'operator',
    summary: 'Change a storage target',
    audit: 'storage_target.update',
    params: idParams,
    body: storageTargetInputSchema,
    output: storageTargetSchema,
    errors: ['STORAGE_TARGET_NOT_FOUND', 'STORAGE_TARGET_NAME_TAKEN'],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/storage-targets/:id',
    access: 'operator',
    summary: 'Forget a storage target',
    audit: 'storage_target.delete',
    params: idParams,
    output: okOutput,
    errors: ['STORAGE_TARGET_NOT_FOUND', 'STORAGE_TARGET_IN_USE'],
  }),
  testUnsaved: defineRoute({
    method: 'POST',
    path: '/api/storage-targets/test',
    access: 'operator',
    summary: 'Test typed values (write, read back, delete); `id`: fill masked secrets from that target',
    body: z.object({
      id: idSchema.optional(),
      type: z.string(),
      config: z.record(z.string(), z.unknown()),
      nodeId: idSchema.optional(),
    }),
    output: testStorageResultSchema,
    errors: ['STORAGE_TEST_FAILED', 'STORAGE_TYPE_UNKNOWN'],
  }),
  test: defineRoute({
    method: 'POST',
    path: '/api/storage-targets/:id/test',
    access: 'operator',
    summary: 'Test a saved target',
    audit: 'storage_target.test',
    params: idParams,
    output: testStorageResultSchema,
    errors: ['STORAGE_TARGET_NOT_FOUND', 'STORAGE_TEST_FAILED'],
  }),
  star: defineRoute({
    method: 'PUT',
    path: '/api/storage-targets/:id/star',
    access: 'operator',
    summary: 'Mark as favourite, or not',
    audit: 'storage_target.star',
    params: idParams,
    body: z.object({ starred: z.boolean() }),
    output: storageTargetSchema,
    errors: ['STORAGE_TARGET_NOT_FOUND'],
  }),
} as const;

export const driverRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/drivers',
    access: 'viewer',
    summary: 'Forms of all sources and storages',
    output: z.object({ sources: z.array(driverManifestSchema), storages: z.array(driverManifestSchema) }),
  }),
} as const;
