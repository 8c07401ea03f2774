/** Structured logs without secrets: known field names are removed, known token shapes are blotted out everywhere. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { ServerConfig } from './config-schema.ts';

const secretFields = ['password', 'currentPassword', 'newPassword', 'token', 'key', 'secret', 'identity', 'config'];
const redactedPaths = [
  ...secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  '*.headers.authorization',
  '*.headers.cookie',
  '*.headers["x-api-key"]',
  '*.headers["x-agent-token"]',
];

/** Tokens of sessions, nodes and repositories, API keys, age identities, sealed values, and passwords inside addresses. */
const secretShapes =
  /\b(?:bxs_|bxa_|bax_|bxr_)[\w-]{6,}|AGE-SECRET-KEY-1[0-9A-Z]+|sealed:v1:[\w-]+|(?<=:\/\/[^\s:/@]{1,100}:)[^\s@/]+(?=@)/g;
/** `"password":"…"` inside a text (there its quotes are escaped), as errors of SDKs like to repeat requests. */
const quotedSecrets =
  /(\\*"[\w-]*(?:password|passphrase|secret|token|accessKey|credential)[\w-]*\\*"\s*:\s*\\*")(?:[^"\\]|\\+[^"\\])*/gi;
const assignedSecrets = /\b([\w-]*(?:password|passphrase|secret|token))=[^\s&"\\]+/gi;

export function blotSecrets(text: string): string {
  return text
    .replace(secretShapes, '[removed]')
    .replace(quotedSecrets, '$1[removed]')
    .replace(assignedSecrets, '$1=[removed]');
}

interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: unknown;
  readonly stack?: string | undefined;
  readonly cause?: LoggedError;
}

/** The whole chain of causes, at most 8 links. */
function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    stack: error.stack,
    ...(error.cause === undefined || depth >= 8 ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

/** One line for people: time, level, message, then the fields. */
function toText(line: string): string {
  try {
    const { level, time, msg, pid: _pid, hostname: _hostname, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const name = pino.levels.labels[Number(level)] ?? String(level);
    const fields = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : '';
    return `${String(time)} ${name.toUpperCase().padEnd(5)} ${String(msg ?? '')}${fields}\n`;
  } catch {
    return line;
  }
}

function openDestination(file: string): DestinationStream {
  try {
    if (file) mkdirSync(dirname(file), { recursive: true });
    return pino.destination({ dest: file || 1, append: true, sync: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('CONFIG_INVALID', { problems: `log.file: ${reason}` }, { cause: error });
  }
}

/** `destination` is for tests. */
export function createLogger(log: ServerConfig['log'], destination = openDestination(log.file)): Logger {
  return pino(
    {
      level: log.level,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: redactedPaths, censor: '[removed]' },
      serializers: { err: (error: unknown) => describeError(error) },
      hooks: { streamWrite: (line) => (log.format === 'text' ? toText(blotSecrets(line)) : blotSecrets(line)) },
    },
    destination,
  );
}
