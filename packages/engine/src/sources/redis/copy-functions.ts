import { AppError } from '@backupx/contracts/errors';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';

export interface CopyFunctionsOptions {
  readonly from: RedisConnection;
  readonly to: RedisConnection;
  /** True: libraries of the same name are replaced; others stay. */
  readonly isReplacing: boolean;
}

/** Functions that were copied, and can be taken back while nothing else is in place. */
export interface CopiedFunctions {
  /** Never throws: the failure before it is the one to tell. */
  undo(): Promise<void>;
}

const NOTHING: CopiedFunctions = { undo: async () => {} };

/** Copies the libraries of functions, when there are any. Throws DATABASE_EXISTS for one that is there already. */
export async function copyFunctions({ from, to, isReplacing }: CopyFunctionsOptions): Promise<CopiedFunctions> {
  const libraries = await from.ask('FUNCTION', 'LIST');
  // A server from before there were functions.
  if (libraries instanceof RedisRefusal || !Array.isArray(libraries) || libraries.length === 0) return NOTHING;
  const payload = (await from.demand('read functions', 'FUNCTION', 'DUMP')) as Buffer;
  const before = (await to.demand('read functions', 'FUNCTION', 'DUMP')) as Buffer;
  const reply = await to.ask('FUNCTION', 'RESTORE', payload, isReplacing ? 'REPLACE' : 'APPEND');
  if (!(reply instanceof RedisRefusal)) return { undo: () => putBack(to, before) };
  if (/already exists/i.test(reply.message)) {
    throw new AppError('DATABASE_EXISTS', { name: `A library of functions (${reply.message})`, server: 'the server' });
  }
  throw to.failure(reply, 'write functions (FUNCTION RESTORE)');
}

async function putBack(server: RedisConnection, functions: Buffer): Promise<void> {
  try {
    // What failed may have left a transaction open.
    await server.ask('DISCARD');
    await server.ask('FUNCTION', 'RESTORE', functions, 'FLUSH');
  } catch {
    // See above.
  }
}
