import type { RedisConnection } from './connection.ts';
import { type RedisArgument, RedisRefusal } from './resp.ts';

export interface Transaction {
  /** For errors. */
  readonly action: string;
  readonly commands: readonly (readonly RedisArgument[])[];
  /** True from the moment the server may do it until it has said whether it did. */
  onPending?(isPending: boolean): void;
}

/** All commands at once. False: none, since somebody has changed what is watched. Throws what a refusal means. */
export async function transact(server: RedisConnection, parts: Transaction): Promise<boolean> {
  const { action, commands, onPending } = parts;
  await server.demand(action, 'MULTI');
  for (const words of commands) await server.demand(action, ...words);
  onPending?.(true);
  const replies = await server.ask('EXEC');
  onPending?.(!(replies instanceof RedisRefusal) && replies !== null);
  if (replies instanceof RedisRefusal) throw server.failure(replies, action);
  if (!Array.isArray(replies)) return false;
  const refused = replies.find((reply) => reply instanceof RedisRefusal);
  if (refused) throw server.failure(refused, action);
  return true;
}
