import { define, type ErrorDefinition } from './define.ts';

/** Errors of the archive of binary logs. */
export const binlogErrors = {
  BINLOG_GAP: define(
    409,
    8,
    'Binary logs are missing: {logs}.',
    'Nothing can be replayed across them: make a new backup of the server. A receiver goes on behind them with --accept-gap.',
  ),
  BINLOG_CONFLICT: define(
    409,
    2,
    'The archive holds the logs of another server, or of this one before its logs began anew: {reason}',
    'Give this server a prefix of its own, and make a new backup.',
  ),
  BINLOG_START_MISSING: define(
    404,
    6,
    'The archive does not hold {place}; it has {has}.',
    'Choose a backup whose position is in it, or replay from another place.',
  ),
  BINLOG_DAMAGED: define(
    422,
    8,
    'The binary log {name} is damaged: {reason}',
    'Nothing after it can be replayed: make a new backup of the server.',
  ),
  BINLOG_END_EARLY: define(
    409,
    8,
    'The archive ends at {end}, before {until}.',
    'What happened later is not in it. Choose an earlier moment, wait for the receiver, or replay all there is with --accept-end.',
  ),
  BINLOG_REWRITE_IMPOSSIBLE: define(
    409,
    13,
    'Statements in the logs name {databases} themselves and cannot be replayed under another name: {places}.',
    'Nothing was replayed. Replay without --rewrite-db into a server of its own, and rename there.',
  ),
} as const satisfies Record<string, ErrorDefinition>;
