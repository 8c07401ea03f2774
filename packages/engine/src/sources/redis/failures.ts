/** What goes wrong with a server, as errors of the catalogue. */
import { AppError } from '@backupx/contracts/errors';
import { nameOfServer, type RedisConfig } from './config.ts';
import { RedisRefusal } from './resp.ts';

const LOGIN_CODES = new Set(['WRONGPASS', 'NOAUTH', 'DENIED']);
const BUSY_CODES = new Set(['LOADING', 'BUSY', 'MASTERDOWN', 'NOMASTERLINK', 'CLUSTERDOWN']);
const PLAIN_TLS = /wrong version number|packet length too long|unknown protocol|record layer failure/i;
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/** Connected, but nobody answers in TLS. */
export class NoTlsAnswer extends Error {
  readonly code = 'ERR_TLS_NO_ANSWER';
  constructor() {
    super('it does not answer in TLS; perhaps it does not speak it on this port');
  }
}

/** A failure of a connection or a reply, with what was tried (`read the server`). */
export function failureOf(error: unknown, config: RedisConfig, action: string): AppError {
  if (error instanceof AppError) return error;
  const server = nameOfServer(config);
  if (error instanceof RedisRefusal) return refusalError(error, config, action);
  const reason = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (config.tlsMode !== 'disable' && !UNREACHABLE.has(code) && isTlsFailure(code, reason)) {
    const why = PLAIN_TLS.test(reason) ? 'it does not speak TLS on this port' : reason;
    return new AppError('DATABASE_TLS', { server, reason: why }, { cause: error });
  }
  return new AppError('DATABASE_UNREACHABLE', { server, reason }, { cause: error });
}

function refusalError(refusal: RedisRefusal, config: RedisConfig, action: string): AppError {
  const server = nameOfServer(config);
  const user = config.dbUser || 'default';
  const reason = refusal.message;
  const cause = { cause: refusal };
  if (refusal.code === 'NOPERM' || /unknown command/i.test(reason)) {
    return new AppError('DATABASE_PERMISSION', { server, user, action }, cause);
  }
  if (LOGIN_CODES.has(refusal.code) || /AUTH|invalid password/i.test(reason)) {
    return new AppError('DATABASE_AUTH', { server, user, reason }, cause);
  }
  if (BUSY_CODES.has(refusal.code)) return new AppError('DATABASE_UNREACHABLE', { server, reason }, cause);
  return new AppError('DATABASE_TOOL_FAILED', { tool: server, reason: `${reason} (to ${action})` }, cause);
}

function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : '';
}

function isTlsFailure(code: string, reason: string): boolean {
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|ERR_OSSL|HOSTNAME_MISMATCH)/.test(code))
    return true;
  return PLAIN_TLS.test(reason) || /before secure TLS connection/.test(reason);
}
