/** What the driver and MongoDB's programs say when something goes wrong, as errors people can do something about. */
import { AppError } from '@backupx/contracts/errors';
import { MongoError, MongoServerError } from 'mongodb';
import { describeEnd, type ToolEnd } from '../../ports/processes.ts';
import { describeServer, secretsOf, userOf } from './connection-string.ts';
import type { ConnectionConfig } from './settings.ts';

type Kind = 'auth' | 'permission' | 'tls' | 'unreachable' | 'failed';

/** Codes of the server: AuthenticationFailed, UserNotFound; Unauthorized; those of a member that is going or changing. */
const BY_CODE: Readonly<Record<number, Kind>> = {
  18: 'auth',
  11: 'auth',
  13: 'permission',
  8000: 'auth',
  ...Object.fromEntries([6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436].map((n) => [n, 'unreachable'])),
};

/** Order counts: a connection that fails for its certificate also names what it tried to reach. */
const BY_TEXT: readonly (readonly [RegExp, Kind])[] = [
  [/x509|certificate|\btls\b|\bSSL\b|handshake failure|wrong version number|first record does not look like/i, 'tls'],
  [
    /AuthenticationFailed|authentication failed|unable to authenticate|auth error|requires authentication|UserNotFound/i,
    'auth',
  ],
  [/Unauthorized|not authorized/i, 'permission'],
  [
    /server selection|connect E[A-Z]+|ECONN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EPIPE|connection refused|no such host|i\/o timeout|incomplete read|socket was unexpectedly closed|connection\(|connection .*(closed|timed out)|broken pipe|no reachable servers|EOF$/im,
    'unreachable',
  ],
];

/** Plain words for what checks of certificates say. The first that fits. */
const TLS_REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /ALTNAME_INVALID|does not match certificate|certificate is (not )?valid for|doesn't contain any IP SANs|not valid for any names/i,
    'the name in the certificate is another one',
  ],
  [/expired/i, 'the certificate has expired'],
  [/DEPTH_ZERO_SELF_SIGNED|self-signed certificate(?! in)/i, 'the certificate is signed by itself'],
  [
    /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|unknown authority|unable to (get|verify)|in certificate chain/i,
    'the certificate is signed by an authority that is not trusted here',
  ],
  [
    /certificate required|bad certificate|alert number (42|116)|handshake_failure|handshake failure/i,
    'the server asks for a certificate of the client, or does not take the one it got',
  ],
  [
    /wrong version number|does not look like a TLS|packet length too long|socket disconnected before secure|EPROTO/i,
    'the server offers no TLS',
  ],
];

interface FailurePlace {
  readonly config: ConnectionConfig;
  /** In words that follow "no right to". */
  readonly doing: string;
}

/** An error of the driver, or of ours on its way, as one of ours. Our own ones stay as they are. */
export function driverError(error: unknown, place: FailurePlace): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && error.name === 'AbortError') return new AppError('CANCELLED', {}, { cause: error });
  if (!(error instanceof Error)) return new AppError('INTERNAL', {}, { cause: error });
  const texts = chainOf(error).map((link) => textOf(link));
  const code = error instanceof MongoServerError ? Number(error.code) : 0;
  const text = texts.join('\n');
  const kind = kindOf(code, text);
  // Names are looked up by the system, whose errors are not the driver's.
  const isOfServer = error instanceof MongoError || (kind === 'unreachable' && 'syscall' in error);
  if (!isOfServer) return new AppError('INTERNAL', {}, { cause: error });
  const { replicaSet } = place.config;
  const set = replicaSet !== '' && /Server selection timed out/.test(text) ? ` (of the replica set ${replicaSet})` : '';
  const reason = `${reasonOf(text, texts.at(-1) ?? '')}${set}`;
  return appError(kind, { ...place, reason, tool: 'MongoDB', cause: error });
}

/** The deepest cause says most: a failed selection hides the reasons of its servers. */
function chainOf(error: Error): Error[] {
  const reason = (error as { reason?: { servers?: Map<string, { error?: Error | null }> } }).reason;
  const servers = reason?.servers instanceof Map ? [...reason.servers.values()] : [];
  const inner = servers.flatMap(({ error: of }) => (of ? chainOf(of) : []));
  const cause = error.cause instanceof Error ? chainOf(error.cause) : [];
  return [error, ...cause, ...inner];
}

function textOf(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? `${code}: ${error.message}` : error.message;
}

/** The end of a program as an error. */
export function toolError(end: ToolEnd, place: FailurePlace & { readonly tool: string }): AppError {
  const lines = end.messages.split('\n').map((line) => line.replace(/^\S+T\S+\s+/, ''));
  const failed = lines.filter((line) => /^(Failed|error|could not|Unauthorized)/i.test(line));
  const reason = describeEnd({ ...end, messages: (failed.length > 0 ? failed : lines).join('\n') });
  const kind = end.signal === null ? kindOf(0, failed.join('\n') || end.messages) : 'failed';
  return appError(kind, { ...place, reason: reasonOf(failed.join('\n'), reason) });
}

function kindOf(code: number, text: string): Kind {
  if (code === 13 && /requires authentication/i.test(text)) return 'auth';
  return BY_CODE[code] ?? BY_TEXT.find(([pattern]) => pattern.test(text))?.[1] ?? 'failed';
}

function reasonOf(text: string, otherwise: string): string {
  return TLS_REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? otherwise;
}

function appError(
  kind: Kind,
  { config, doing, reason, tool, cause }: FailurePlace & { reason: string; tool: string; cause?: unknown },
): AppError {
  const server = describeServer(config);
  const user = userOf(config);
  const told = secretsOf(config).reduce((text, secret) => text.replaceAll(secret, '***'), reason);
  const options = { cause };
  switch (kind) {
    case 'auth':
      return new AppError('DATABASE_AUTH', { server, user, reason: told }, options);
    case 'permission':
      return new AppError('DATABASE_PERMISSION', { user, server, action: `${doing}: ${told}` }, options);
    case 'tls':
      return new AppError('DATABASE_TLS', { server, reason: told }, options);
    case 'unreachable':
      return new AppError('DATABASE_UNREACHABLE', { server, reason: told }, options);
    case 'failed':
      return new AppError('DATABASE_TOOL_FAILED', { tool, reason: told }, options);
  }
}
