/**
 * What a handler gets and how features register: the seam between `http/bind-routes.ts` and `features/`.
 * A feature exports `xRoutes(deps): BoundRoute[]`; `app.ts` joins them. One line per route, checked by the compiler.
 */
import type { Role } from '@backupx/contracts/api/auth';
import type { BodyOf, OutputOf, ParamsOf, QueryOf, RouteContract } from '@backupx/contracts/define-route';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Who is asking, after authentication. */
export type Actor =
  | {
      readonly kind: 'user';
      readonly userId: number;
      readonly username: string;
      readonly role: Role;
      readonly via: 'session' | 'token' | 'api_key';
      readonly sessionId: number | null;
    }
  | { readonly kind: 'agent'; readonly nodeId: number; readonly nodeName: string; readonly protocol: number }
  | { readonly kind: 'anonymous' };

export interface RequestContext<R extends RouteContract> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly actor: Actor;
  readonly ipAddress: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Adds target and detail to the audit entry of this request. Routes without `audit` may not call it. */
  audit(entry: { target: string; detail?: string }): void;
  readonly request: FastifyRequest;
  /** For native content types only (`kind` other than json); the handler then answers through it. */
  readonly reply: FastifyReply;
}

export type Handler<R extends RouteContract> = (context: RequestContext<R>) => Promise<OutputOf<R>> | OutputOf<R>;

export interface BoundRoute {
  readonly contract: RouteContract;
  readonly handler: Handler<RouteContract>;
}

/** Joins a contract and its handler; the compiler checks input and output. */
export function bind<R extends RouteContract>(contract: R, handler: Handler<R>): BoundRoute {
  return { contract, handler: handler as unknown as Handler<RouteContract> };
}

/** Answer of routes that only say that it worked; typed so that `async` does not widen it. */
export const ok = { status: 'ok' } as const;
