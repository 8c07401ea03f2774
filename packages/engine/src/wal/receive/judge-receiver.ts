/** What the programs that speak to a server say when they end, as errors people can do something about. */
import { AppError } from '@backupx/contracts/errors';
import { describeEnd, type ToolEnd } from '../../ports/processes.ts';

export interface ReceiverFacts {
  readonly server: string;
  readonly user: string;
  readonly slot: string;
}

/** Codes of errors, which are the same in every language; psql shows them when it is `verbose`. */
export const SLOT_EXISTS = '42710';
export const SLOT_MISSING = '42704';
const DENIED = '42501';
const IN_USE = '55006';
/** Not every word of TLS: that a connection broke may pass. */
const UNTRUSTED =
  /certificate verify failed|server certificate for .* does not match|server does not support SSL, but SSL was required|root certificate file .* does not exist|could not read root certificate file/;
/**
 * The program itself speaks English here; what follows is the server's: the name of a segment alone, and no number behind
 * it, is what it has removed. Files that cannot be read come with a path, or a place in them.
 */
const REMOVED = /unexpected termination of replication stream: [^/\d]*\b[0-9A-F]{24}\b[^\d/]*$/m;

export const hasState = ({ messages }: Pick<ToolEnd, 'messages'>, state: string): boolean =>
  new RegExp(`\\b${state}:`).test(messages);

export function slotMissing({ server, slot }: ReceiverFacts): AppError {
  return new AppError('DATABASE_NOT_FOUND', { name: `replication slot "${slot}"`, server });
}

/** Null: it may pass. Where a login fails there are only words: a server that says them in another language is asked again and again. */
export function judgeReceiver(end: ToolEnd, facts: ReceiverFacts): AppError | null {
  const reason = describeEnd(end).replaceAll(/(pg_receivewal|psql): (error: )?/g, '');
  const { server, user } = facts;
  const said = end.messages;
  if (/already been removed|invalidated/.test(said) || REMOVED.test(said)) return new AppError('WAL_GAP', { reason });
  if (/slot ".*" does not exist/.test(said)) return slotMissing(facts);
  if (/authentication failed|no password supplied|no pg_hba\.conf entry|role ".*" does not exist/.test(said)) {
    return new AppError('DATABASE_AUTH', { server, user, reason });
  }
  if (UNTRUSTED.test(said)) return new AppError('DATABASE_TLS', { server, reason });
  if (/permission denied|must be superuser or replication role/.test(said) || hasState(end, DENIED)) {
    return new AppError('DATABASE_PERMISSION', { server, user, action: 'receive its log (REPLICATION)' });
  }
  if (hasState(end, IN_USE))
    return new AppError('DATABASE_IN_USE', { name: `replication slot "${facts.slot}"`, sessions: reason });
  if (/incompatible server version|unrecognized option|invalid connection option/.test(said)) {
    return new AppError('DATABASE_TOOL_FAILED', { tool: 'pg_receivewal', reason });
  }
  return null;
}
