/** OpenAPI 3.1 out of the contracts: the same schemas that validate requests describe them. */
import type { RouteContract } from '@backupx/contracts/define-route';
import { errorCatalog } from '@backupx/contracts/errors';
import { z } from 'zod';

type Json = Record<string, unknown>;

/** Named schemas of one direction; what goes in may differ from what comes out (defaults), hence the suffix. */
function createSchemaWriter(components: Json) {
  return (schema: z.ZodType, io: 'input' | 'output'): Json => {
    const suffix = io === 'input' ? 'Input' : '';
    const written = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as Json;
    const { $defs, $schema: _, ...own } = written;
    const rename = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(rename);
      if (typeof value !== 'object' || value === null) return value;
      const entries = Object.entries(value).filter(([key]) => key !== 'id' || typeof (value as Json).id !== 'string');
      return Object.fromEntries(
        entries.map(([key, inner]) =>
          key === '$ref' && typeof inner === 'string'
            ? [key, `${inner.replace('#/$defs/', '#/components/schemas/')}${suffix}`]
            : [key, rename(inner)],
        ),
      );
    };
    for (const [name, definition] of Object.entries(($defs ?? {}) as Json)) {
      components[name + suffix] = rename(definition);
    }
    return rename(own) as Json;
  };
}

type WriteSchema = ReturnType<typeof createSchemaWriter>;

function parameters(contract: RouteContract, write: WriteSchema): Json[] {
  return (['path', 'query'] as const).flatMap((place) => {
    const schema = place === 'path' ? contract.params : contract.query;
    if (schema instanceof z.ZodUndefined) return [];
    const { properties = {}, required = [] } = write(schema, 'input') as { properties?: Json; required?: string[] };
    return Object.entries(properties).map(([name, field]) => ({
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      schema: field,
    }));
  });
}

function requestBody(contract: RouteContract, write: WriteSchema): Json {
  if (contract.bodyLimit === 'raw') {
    return { requestBody: { required: true, content: { 'application/octet-stream': { schema: {} } } } };
  }
  if (contract.body instanceof z.ZodUndefined) return {};
  const content = { 'application/json': { schema: write(contract.body, 'input') } };
  return { requestBody: { required: !contract.body.safeParse(undefined).success, content } };
}

const nativeTypes = { stream: 'application/octet-stream', events: 'text/event-stream', text: 'text/plain' } as const;

function successContent(contract: RouteContract, write: WriteSchema): Json {
  if (contract.kind !== 'json') return { [nativeTypes[contract.kind]]: { schema: { type: 'string' } } };
  const data = contract.output instanceof z.ZodUndefined ? { type: 'null' } : write(contract.output, 'output');
  const properties = { code: { const: 'OK' }, message: { const: 'success' }, data };
  return { 'application/json': { schema: { type: 'object', required: ['code', 'message', 'data'], properties } } };
}

function errorResponses(contract: RouteContract): Json {
  const codes = new Set(contract.errors);
  if (!(contract.params instanceof z.ZodUndefined && contract.body instanceof z.ZodUndefined))
    codes.add('INVALID_INPUT');
  if (contract.access === 'agent') codes.add('NODE_INVALID_TOKEN');
  else if (contract.access !== 'public') codes.add('AUTH_REQUIRED').add('AUTH_FORBIDDEN');
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { status } = errorCatalog[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  return Object.fromEntries(
    [...byStatus].sort().map(([status, names]) => [String(status), { description: names.join(', '), content }]),
  );
}

function securityOf(contract: RouteContract): Json[] {
  if (contract.access === 'public') return [];
  if (contract.access === 'agent') return [{ agentToken: [] }, { bearer: [] }];
  return [{ session: [] }, { bearer: [] }, { apiKey: [] }];
}

function operation(group: string, name: string, contract: RouteContract, write: WriteSchema): Json {
  return {
    operationId: `${group}_${name}`,
    tags: [group],
    summary: contract.summary,
    'x-access': contract.access,
    security: securityOf(contract),
    parameters: parameters(contract, write),
    ...requestBody(contract, write),
    responses: {
      200: { description: 'Success', content: successContent(contract, write) },
      ...errorResponses(contract),
    },
  };
}

const errorSchema = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { enum: Object.keys(errorCatalog) },
    message: { type: 'string' },
    hint: { type: 'string' },
    requestId: { type: 'string' },
    fields: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'code', 'message'],
        properties: { path: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

const securitySchemes = {
  session: { type: 'apiKey', in: 'cookie', name: 'backupx_session' },
  bearer: { type: 'http', scheme: 'bearer' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
  agentToken: { type: 'apiKey', in: 'header', name: 'X-Agent-Token' },
};

/** Groups as `contracts/api/all-routes.ts` has them. */
export type RouteGroups = Readonly<Record<string, Readonly<Record<string, RouteContract>>>>;

export function writeOpenApi(groups: RouteGroups, version: string): Json {
  const schemas: Json = { Error: errorSchema };
  const write = createSchemaWriter(schemas);
  const paths: Record<string, Json> = {};
  for (const [group, routes] of Object.entries(groups)) {
    for (const [name, contract] of Object.entries(routes)) {
      const path = contract.path.replace(/:(\w+)/g, '{$1}');
      paths[path] = { ...paths[path], [contract.method.toLowerCase()]: operation(group, name, contract, write) };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'BackupX', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { schemas, securitySchemes },
  };
}
