/** What the programs say when they fail, as errors people can do something about. */
import { AppError } from '@backupx/contracts/errors';
import { describeEnd, type ToolEnd } from '../../ports/processes.ts';
import type { ConnectionConfig } from './settings.ts';
import { tlsReason } from './tls-reason.ts';

const AUTH = new Set([1045, 1698, 1251, 2059, 1862, 1820, 3118, 4151]);
const UNREACHABLE = new Set([2002, 2003, 2005, 2006, 2013, 2055, 1040, 1129, 1130, 1203]);
const PERMISSION = new Set([1142, 1143, 1227, 1370, 1419, 1044]);

/** `db.example.com:3306`, or the path of the socket. */
export function describeServer({ dbHost, dbPort, dbSocket }: ConnectionConfig): string {
  return dbSocket === '' ? `${dbHost}:${dbPort}` : dbSocket;
}

/** The error for a program that did not end well. `doing`: in words that follow "no right to". */
export function toolError(end: ToolEnd, where: { tool: string; doing: string; config: ConnectionConfig }): AppError {
  const { tool, doing, config } = where;
  const reason = reasonOf(end);
  const server = describeServer(config);
  const user = config.dbUser;
  const number = numberOf(end.messages);
  if (end.signal !== null) return new AppError('DATABASE_TOOL_FAILED', { tool, reason });
  if (number === 2026 || /TLS\/SSL error|SSL connection error/i.test(end.messages)) {
    return new AppError('DATABASE_TLS', { server, reason: tlsReason(end.messages) ?? reason });
  }
  if (number === 1049) {
    const name = /database '(.*)'/.exec(end.messages)?.[1] ?? 'database';
    return new AppError('DATABASE_NOT_FOUND', { name: `database ${name}`, server });
  }
  if (PERMISSION.has(number))
    return new AppError('DATABASE_PERMISSION', { user, server, action: `${doing}: ${reason}` });
  if (AUTH.has(number)) return new AppError('DATABASE_AUTH', { server, user, reason });
  if (UNREACHABLE.has(number)) return new AppError('DATABASE_UNREACHABLE', { server, reason });
  return new AppError('DATABASE_TOOL_FAILED', { tool, reason });
}

/** The server's own; mariadb-dump puts it behind some of its messages. */
function numberOf(messages: string): number {
  const found =
    /(?:ERROR|Got error:?|error:)\s*(\d{4,5})/i.exec(messages) ?? /: Couldn't .*\((\d{4})\)\s*$/m.exec(messages);
  return Number(found?.[1] ?? 0);
}

/** The client shows the statement that failed too, which may hold data. */
function reasonOf(end: ToolEnd): string {
  const lines = end.messages
    .split('\n')
    .filter((line) => /^(?:ERROR \d|[\w-]+: (?:Got error|Error|Couldn't))/.test(line));
  return lines.length === 0 ? describeEnd(end) : `${lines.slice(-2).join(' / ')} (exit code ${end.exitCode})`;
}
