/** What PostgreSQL's programs say when something goes wrong, as one of our errors. */
import { AppError } from '@backupx/contracts/errors';
import { describeEnd, type ToolEnd } from '../../ports/processes.ts';

/** Where it went wrong. */
export interface FailurePlace {
  readonly tool: string;
  readonly server: string;
  readonly user: string;
  readonly database: string;
}

type Kind = 'auth' | 'tls' | 'not_found' | 'permission' | 'unreachable' | 'failed';

/** Codes of the server, which are the same in every language. */
const BY_STATE: Readonly<Record<string, Kind>> = {
  '28000': 'auth',
  '28P01': 'auth',
  '3D000': 'not_found',
  '42501': 'permission',
  '57P01': 'unreachable',
  '57P02': 'unreachable',
  '57P03': 'unreachable',
};

/** Only then do words about connections mean one: names of tables and texts of rows come in messages too. */
const CONNECTION =
  /connection to (server|database)|FATAL:|server closed the connection|connection (refused|not open)|lost/i;

/** A refused connection brings no code. Order counts: a failed connection also names what it tried. */
const BY_TEXT: readonly (readonly [RegExp, Kind])[] = [
  [/\bSSL\b|certificate|\bTLS\b/i, 'tls'],
  [
    /password authentication failed|no password supplied|authentication failed|pg_hba\.conf|not permitted to log in/i,
    'auth',
  ],
  [/role ".*" does not exist/i, 'auth'],
  [/database ".*" does not exist/i, 'not_found'],
  [/permission denied|must be superuser|must be owner|row-level security/i, 'permission'],
  [
    /could not (connect|translate|receive|send)|connection (refused|to server|not open)|timeout expired/i,
    'unreachable',
  ],
  [
    /server closed the connection|terminating connection|starting up|shutting down|too many (clients|connections)/i,
    'unreachable',
  ],
];

/** The server's own code, for the few places that go on after one: the cause of an AppError. */
export class SqlFailure extends Error {
  readonly state: string;

  constructor(state: string) {
    super(`SQLSTATE ${state}`);
    this.state = state;
  }
}

/** The code of the server in the messages of psql (`VERBOSITY verbose`); null: none. */
function stateOf(messages: string): string | null {
  return /^(?:psql:.*?: )?\p{Lu}+:\s+([0-9A-Z]{5}): /mu.exec(messages)?.[1] ?? null;
}

/** The end of a program as an error. Throws nothing. */
export function failureOf(end: ToolEnd, { tool, server, user, database }: FailurePlace): AppError {
  const reason = reasonOf(end);
  const state = stateOf(end.messages);
  const options = state === null ? {} : { cause: new SqlFailure(state) };
  switch (kindOf(end, state)) {
    case 'auth':
      return new AppError('DATABASE_AUTH', { server, user, reason }, options);
    case 'tls':
      return new AppError('DATABASE_TLS', { server, reason }, options);
    case 'not_found':
      return new AppError('DATABASE_NOT_FOUND', { name: `database ${JSON.stringify(database)}`, server }, options);
    case 'permission':
      return new AppError('DATABASE_PERMISSION', { server, user, action: `do this (${reason})` }, options);
    case 'unreachable':
      return new AppError('DATABASE_UNREACHABLE', { server, reason }, options);
    case 'failed':
      return new AppError('DATABASE_TOOL_FAILED', { tool, reason }, options);
  }
}

function kindOf({ messages, signal }: ToolEnd, state: string | null): Kind {
  if (signal !== null) return 'failed';
  if (state !== null) return BY_STATE[state] ?? 'failed';
  if (!CONNECTION.test(messages))
    return /permission denied|row-level security/i.test(messages) ? 'permission' : 'failed';
  return BY_TEXT.find(([pattern]) => pattern.test(messages))?.[1] ?? 'failed';
}

/** Without what says only where in its source the server was. */
function reasonOf(end: ToolEnd): string {
  const lines = end.messages.split('\n').filter((line) => !/^(\s*$|LOCATION:|LINE \d+:|\s*\^)/.test(line));
  const cleaned = lines.map((line) =>
    line.replace(/^(psql|pg_dump|pg_dumpall|pg_restore):(.*?: )?(error: )?/, '').trim(),
  );
  return describeEnd({ ...end, messages: cleaned.join('\n') });
}
