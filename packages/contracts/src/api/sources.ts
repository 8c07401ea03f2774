/** Questions about a source before there is a task: is it reachable, what is there to back up. Nothing is stored. */
import { z } from 'zod';
import { defineRoute, idSchema } from '../define-route.ts';
import { inspectSourceResultSchema } from '../jobs.ts';

const sourceErrors = [
  'SOURCE_TYPE_UNKNOWN',
  'NODE_NOT_FOUND',
  'NODE_OFFLINE',
  'NOT_SUPPORTED',
  'AGENT_COMMAND_TIMEOUT',
  'TIMEOUT',
  'DATABASE_AUTH',
  'DATABASE_UNREACHABLE',
  'DATABASE_TLS',
  'DATABASE_NOT_FOUND',
  'DATABASE_PERMISSION',
  'DATABASE_TOOL_MISSING',
  'DATABASE_TOOL_MISMATCH',
  'DATABASE_TOOL_FAILED',
] as const;

export const sourceRoutes = {
  inspect: defineRoute({
    method: 'POST',
    path: '/api/sources/inspect',
    access: 'operator',
    summary: 'Test a connection with the programs and settings of a backup, and list what is there',
    body: z.object({
      type: z.string().min(1).max(50),
      /** The node that asks; 0 or missing: the local node. */
      nodeId: z.number().int().min(0).default(0),
      /** Masked secrets are those of this task, for its own server and login only. */
      taskId: idSchema.optional(),
      config: z.record(z.string(), z.unknown()),
    }),
    output: inspectSourceResultSchema,
    errors: ['BACKUP_TASK_NOT_FOUND', ...sourceErrors],
  }),
  discover: defineRoute({
    method: 'POST',
    path: '/api/database/discover',
    access: 'operator',
    summary: 'Names of the databases of a server',
    body: z.object({
      type: z.string().min(1).max(50),
      host: z.string().max(4096),
      port: z.coerce.number().int().min(0).max(65_535).default(0),
      user: z.string().max(1000).default(''),
      password: z.string().max(1000).default(''),
      nodeId: z.coerce.number().int().min(0).default(0),
    }),
    output: z.object({ databases: z.array(z.string()) }),
    errors: sourceErrors,
  }),
} as const;
