/** Nodes: the machines that run jobs. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQuery, okOutput, pageOf, timeSchema } from '../define-route.ts';
import { listDirectoryResultSchema } from '../jobs.ts';

export const nodeSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    isLocal: z.boolean(),
    status: z.enum(['pending', 'online', 'offline']),
    hostname: z.string(),
    ipAddress: z.string(),
    os: z.string(),
    arch: z.string(),
    agentVersion: z.string(),
    /** 1: an agent from the field; 2: ours. */
    protocol: z.number(),
    lastSeen: timeSchema.nullable(),
    taskCount: z.number(),
    runningCount: z.number(),
    queueDepth: z.number(),
    createdAt: timeSchema,
  })
  .meta({ id: 'Node' });
export type Node = z.output<typeof nodeSchema>;

const nodeName = z.string().trim().min(1).max(100);

export const nodeRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/nodes',
    access: 'viewer',
    summary: 'Nodes',
    query: listQuery,
    output: z.union([pageOf(nodeSchema), z.array(nodeSchema)]),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/nodes/:id',
    access: 'viewer',
    summary: 'One node',
    params: idParams,
    output: nodeSchema,
    errors: ['NODE_NOT_FOUND'],
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/nodes',
    access: 'admin',
    summary: 'Add a node; `token` is shown this once',
    audit: 'node.create',
    body: z.object({ name: nodeName }),
    output: nodeSchema.extend({ token: z.string() }),
    errors: ['NODE_NAME_TAKEN'],
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/nodes/:id',
    access: 'admin',
    summary: 'Rename a node',
    audit: 'node.update',
    params: idParams,
    body: z.object({ name: nodeName }),
    output: nodeSchema,
    errors: ['NODE_NOT_FOUND', 'NODE_NAME_TAKEN'],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/nodes/:id',
    access: 'admin',
    summary: 'Remove a node',
    audit: 'node.delete',
    params: idParams,
    output: okOutput,
    errors: ['NODE_NOT_FOUND', 'NODE_HAS_TASKS', 'NODE_HAS_REPOSITORIES', 'NODE_DELETE_LOCAL'],
  }),
  rotateToken: defineRoute({
    method: 'POST',
    path: '/api/nodes/:id/rotate-token',
    access: 'admin',
    summary: 'Replace the token; the old one ends at once',
    audit: 'node.rotate_token',
    params: idParams,
    output: nodeSchema.extend({ token: z.string() }),
    errors: ['NODE_NOT_FOUND', 'NODE_DELETE_LOCAL'],
  }),
  listDirectory: defineRoute({
    method: 'GET',
    path: '/api/nodes/:id/fs/list',
    access: 'operator',
    summary: 'A folder of the node, folders first',
    params: idParams,
    query: z.object({ path: z.string().max(4096).default('/') }),
    output: listDirectoryResultSchema,
    errors: [
      'NODE_NOT_FOUND',
      'NODE_OFFLINE',
      'AGENT_COMMAND_TIMEOUT',
      'PATH_NOT_FOUND',
      'PATH_PERMISSION',
      'PATH_NOT_DIRECTORY',
      'PATH_INVALID',
    ],
  }),
} as const;
