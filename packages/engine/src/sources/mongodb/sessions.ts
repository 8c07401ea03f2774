/** Who works in a database. Connections of MongoDB belong to none; what runs on them does. */
import { AppError } from '@backupx/contracts/errors';
import type { DatabaseSession } from '@backupx/contracts/jobs';
import { MongoServerError } from 'mongodb';
import type { MongodbConnection } from './connection.ts';

/** Unauthorized, CommandNotFound, CommandNotSupported, NotImplemented; AtlasError of shared clusters. */
const REFUSALS = new Set([13, 59, 115, 238, 8000]);
const MICROSECONDS_PER_MS = 1000;

/** What a server tells of one operation. */
interface Operation {
  readonly opid?: unknown;
  readonly op?: string;
  readonly ns?: string;
  readonly client?: string;
  /** Through a router of a sharded cluster. */
  readonly client_s?: string;
  readonly appName?: string;
  readonly effectiveUsers?: readonly { readonly user?: string }[];
  readonly currentOpTime?: string;
  readonly microsecs_running?: unknown;
}

/** Everything clients do at this moment; null: the user may not know. Throws DATABASE_*. */
export async function readOperations(connection: MongodbConnection): Promise<readonly Operation[] | null> {
  try {
    const { inprog } = await connection.command('admin', { currentOp: 1 }, { doing: 'see what runs on it' });
    const all = Array.isArray(inprog) ? (inprog as Operation[]) : [];
    // What the server does by itself has no client.
    return all.filter((one) => clientOf(one) !== '');
  } catch (error) {
    const code = error instanceof AppError && error.cause instanceof MongoServerError ? Number(error.cause.code) : 0;
    if (!REFUSALS.has(code)) throw error;
    return null;
  }
}

/** Those that work in this database; each client once. */
export function sessionsIn(database: string, operations: readonly Operation[]): DatabaseSession[] {
  const inside = operations.filter(({ ns = '' }) => ns.startsWith(`${database}.`));
  const byClient = new Map(inside.map((one) => [clientOf(one), one]));
  return [...byClient].map(([address, one]) => ({
    id: String(one.opid ?? ''),
    user: one.effectiveUsers?.[0]?.user ?? '',
    address,
    program: one.appName ?? one.op ?? '',
    since: sinceOf(one),
  }));
}

const clientOf = ({ client, client_s }: Operation): string => client ?? client_s ?? '';

function sinceOf({ currentOpTime, microsecs_running }: Operation): string | null {
  const now = Date.parse(currentOpTime ?? '');
  if (Number.isNaN(now)) return null;
  return new Date(now - Number(microsecs_running ?? 0) / MICROSECONDS_PER_MS).toISOString();
}
