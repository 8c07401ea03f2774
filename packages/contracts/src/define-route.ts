/**
 * Contract-first routes: one object per route says method, path, who may call it, what goes in and out,
 * and which errors it can answer. The server binds handlers to it (validation, roles, audit, OpenAPI),
 * the web and the command line infer their typed client from it.
 */
import { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Who may call a route. `agent` routes take node tokens only; the others never do. */
export type Access = 'public' | 'viewer' | 'operator' | 'admin' | 'agent';

/** `json` is wrapped in the envelope; the others are native content types that the handler streams itself. */
export type ResponseKind = 'json' | 'stream' | 'events' | 'text';

export interface RouteContract<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
> {
  readonly method: HttpMethod;
  /** Fastify style path, e.g. `/api/nodes/:id`. */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly output: O;
  readonly kind: ResponseKind;
  /** Codes this route answers besides the general ones (INVALID_INPUT, AUTH_*, RATE_LIMITED, INTERNAL). */
  readonly errors: readonly ErrorCode[];
  /** Name of the audit action; every route that changes something has one. `null`: changes nothing. */
  readonly audit: string | null;
  /** Limit of the request body in bytes; default 1 MiB. `'raw'`: an octet stream of any size. */
  readonly bodyLimit: number | 'raw';
}

const nothing = z.undefined();
type Nothing = typeof nothing;

interface RouteInput<P, Q, B, O> {
  method: HttpMethod;
  path: string;
  access: Access;
  summary: string;
  params?: P;
  query?: Q;
  body?: B;
  output?: O;
  kind?: ResponseKind;
  errors?: readonly ErrorCode[];
  audit?: string | null;
  bodyLimit?: number | 'raw';
}

/** Declares a route; parts left out accept and return nothing. */
export function defineRoute<
  P extends z.ZodType = Nothing,
  Q extends z.ZodType = Nothing,
  B extends z.ZodType = Nothing,
  O extends z.ZodType = Nothing,
>(route: RouteInput<P, Q, B, O>): RouteContract<P, Q, B, O> {
  return {
    method: route.method,
    path: route.path,
    access: route.access,
    summary: route.summary,
    params: (route.params ?? nothing) as P,
    query: (route.query ?? nothing) as Q,
    body: (route.body ?? nothing) as B,
    output: (route.output ?? nothing) as O,
    kind: route.kind ?? 'json',
    errors: route.errors ?? [],
    audit: route.audit ?? null,
    bodyLimit: route.bodyLimit ?? 1024 * 1024,
  };
}

export type ParamsOf<R extends RouteContract> = z.output<R['params']>;
export type QueryOf<R extends RouteContract> = z.output<R['query']>;
export type BodyOf<R extends RouteContract> = z.output<R['body']>;
export type OutputOf<R extends RouteContract> = z.input<R['output']>;
/** What a client passes (before defaults are filled in). */
export type ClientParamsOf<R extends RouteContract> = z.input<R['params']>;
export type ClientQueryOf<R extends RouteContract> = z.input<R['query']>;
export type ClientBodyOf<R extends RouteContract> = z.input<R['body']>;
export type ClientOutputOf<R extends RouteContract> = z.output<R['output']>;

/** JSON integer id below 2^32, as agents in the field expect. */
export const idSchema = z.number().int().min(1).max(4_294_967_295);
/** The same, read from a path or query string. */
export const idParamSchema = z.coerce.number().int().min(1).max(4_294_967_295);
export const idParams = z.object({ id: idParamSchema });
/** RFC 3339 in UTC. */
export const timeSchema = z.iso.datetime();
export const okOutput = z.object({ status: z.literal('ok') });

/** Query of every list that can grow. `page` starts at 1. */
export const listQueryShape = {
  page: z.coerce.number().int().min(1).max(1_000_000).optional(),
  pageSize: z.coerce.number().int().min(1).max(200).optional(),
  sort: z.string().max(40).optional(),
  q: z.string().max(200).optional(),
} as const;
export const listQuery = z.object(listQueryShape);

/** `{items, total, nextCursor?}`: the answer of every list that can grow. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), total: z.number().int().min(0), nextCursor: z.string().optional() });
}

/** Success envelope on the wire. */
export interface Envelope<T> {
  readonly code: 'OK';
  readonly message: 'success';
  readonly data: T;
}

/** Error answer on the wire. */
export interface ErrorAnswer {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly requestId?: string;
  readonly fields?: readonly { path: string; code: string; message: string }[];
}
