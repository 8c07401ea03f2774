/** Who works in a database. Connections of MongoDB belong to none; what runs on them does. */
import { AppError } from '@backupx/contracts/errors';
import type { DatabaseSession } from '@backupx/contracts/jobs';
import { MongoServerError } from 'mongodb';
import type { MongodbConnection } from './connection.ts';
import { OWN_COLLECTION } from './scratch-names.ts';

/** Unauthorized, CommandNotFound, CommandNotSupported, NotImplemented; AtlasError of shared clusters. */
const REFUSALS = new Set([13, 59, 115, 238, 8000]);
/** As whom the members of a set or cluster log in to one another. */
const MEMBER = '__system';
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

/** One that the server can be told to end. */
export interface RunningOperation extends Operation {
  readonly id: string;
}

/** What a restore replaces. */
export interface OperationPlace {
  readonly database: string;
  /** Null: all of it. */
  readonly collections: ReadonlySet<string> | null;
}

/** Everything other clients do at this moment; null: the user may not know. Throws DATABASE_*. */
export async function readOperations(
  connection: Pick<MongodbConnection, 'command' | 'appName'>,
): Promise<readonly RunningOperation[] | null> {
  try {
    const { inprog } = await connection.command('admin', { currentOp: 1 }, { doing: 'see what runs on it' });
    const all = Array.isArray(inprog) ? (inprog as Operation[]) : [];
    // What the server does by itself has no client; what another member does (an initial sync) has this user.
    const isOfServer = (one: Operation) => clientOf(one) === '' || one.effectiveUsers?.[0]?.user === MEMBER;
    const others = all.filter((one) => !isOfServer(one) && one.appName !== connection.appName);
    return others.map((one) => ({ ...one, id: String(one.opid ?? '') }));
  } catch (error) {
    const code = error instanceof AppError && error.cause instanceof MongoServerError ? Number(error.cause.code) : 0;
    if (!REFUSALS.has(code)) throw error;
    return null;
  }
}

/** Those that work there. What restores have made beside it is theirs; their journals tell of them. */
export function operationsIn<O extends Operation>(
  { database, collections }: OperationPlace,
  operations: readonly O[],
): O[] {
  return operations.filter(({ ns = '' }) => {
    if (!ns.startsWith(`${database}.`)) return false;
    const collection = ns.slice(database.length + 1);
    return !OWN_COLLECTION.test(collection) && (collections?.has(collection) ?? true);
  });
}

/** Who they are; each client once. */
export function sessionsOf(operations: readonly RunningOperation[]): DatabaseSession[] {
  const byClient = new Map(operations.map((one) => [clientOf(one), one]));
  return [...byClient].map(([address, one]) => ({
    id: one.id,
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
