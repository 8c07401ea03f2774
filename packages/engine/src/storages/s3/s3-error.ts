import { AppError, type ErrorCode } from '@backupx/contracts/errors';
import { isTrustCode } from '../../ports/tls-trust.ts';

/** What the SDK's errors have in common; everything may be missing. */
interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly cause?: unknown;
}

const CODES_BY_NAME: Readonly<Record<string, ErrorCode>> = {
  NoSuchKey: 'STORAGE_NOT_FOUND',
  NoSuchUpload: 'STORAGE_FAILED',
  NoSuchBucket: 'STORAGE_CONFIG',
  InvalidBucketName: 'STORAGE_CONFIG',
  PermanentRedirect: 'STORAGE_CONFIG',
  TemporaryRedirect: 'STORAGE_CONFIG',
  IllegalLocationConstraintException: 'STORAGE_CONFIG',
  AuthorizationHeaderMalformed: 'STORAGE_CONFIG',
  KeyTooLongError: 'STORAGE_INVALID_KEY',
  AccessDenied: 'STORAGE_PERMISSION',
  InvalidAccessKeyId: 'STORAGE_PERMISSION',
  SignatureDoesNotMatch: 'STORAGE_PERMISSION',
  ExpiredToken: 'STORAGE_PERMISSION',
  InvalidToken: 'STORAGE_PERMISSION',
  RequestTimeTooSkewed: 'STORAGE_PERMISSION',
  AllAccessDisabled: 'STORAGE_PERMISSION',
  AccountProblem: 'STORAGE_PERMISSION',
  QuotaExceeded: 'STORAGE_FULL',
  InsufficientStorage: 'STORAGE_FULL',
  InsufficientCapacity: 'STORAGE_FULL',
  XMinioStorageFull: 'STORAGE_FULL',
  XMinioAdminBucketQuotaExceeded: 'STORAGE_FULL',
  TimeoutError: 'STORAGE_UNREACHABLE',
};

const CODES_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  // Servers that are being restarted or have too much to do. A 500 may be one object that no disk has any longer.
  429: 'STORAGE_UNREACHABLE',
  502: 'STORAGE_UNREACHABLE',
  503: 'STORAGE_UNREACHABLE',
  504: 'STORAGE_UNREACHABLE',
  301: 'STORAGE_CONFIG',
  307: 'STORAGE_CONFIG',
  401: 'STORAGE_PERMISSION',
  403: 'STORAGE_PERMISSION',
  404: 'STORAGE_NOT_FOUND',
  507: 'STORAGE_FULL',
};

const NETWORK =
  /^(ECONN|ERR_SSL_|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EPIPE|EADDRNOTAVAIL|ERR_STREAM_PREMATURE_CLOSE|UND_ERR)/;

/** What servers that do not know a condition answer to it; other errors of the same status are of another kind. */
const UNKNOWN_CONDITION: ReadonlySet<string> = new Set([
  'NotImplemented',
  'MethodNotAllowed',
  'InvalidArgument',
  'InvalidRequest',
  'BadRequest',
  // An answer without a word.
  'Unknown',
  'UnknownError',
]);

/** Whether the server says that it does not know a header by which it should have decided. */
export function isConditionUnknown(error: unknown): boolean {
  const status = s3ErrorStatus(error);
  return status === 501 || ((status === 400 || status === 405) && UNKNOWN_CONDITION.has(s3ErrorName(error)));
}

/** Error name as S3 sent it, such as `NoSuchUpload`. */
export const s3ErrorName = (error: unknown): string => (error as SdkError | null)?.name ?? '';

/** HTTP status of the answer, when there was one. */
export const s3ErrorStatus = (error: unknown): number | undefined =>
  (error as SdkError | null)?.$metadata?.httpStatusCode;

/** Translates errors of the SDK and of sockets into the port's codes; AppErrors pass. `key` is the storage key. */
export function s3Error(error: unknown, key: string): AppError {
  if (error instanceof AppError) return error;
  return new AppError(codeFor(error as SdkError), { reason: reasonFor(error as SdkError), key }, { cause: error });
}

function codeFor(error: SdkError): ErrorCode {
  const systemCode = systemCodeOf(error);
  const byName = CODES_BY_NAME[error.name ?? ''];
  if (byName) return byName;
  if (isTrustCode(systemCode)) return 'STORAGE_CONFIG';
  if (NETWORK.test(systemCode) || error.message === 'aborted') return 'STORAGE_UNREACHABLE';
  return CODES_BY_STATUS[s3ErrorStatus(error) ?? 0] ?? 'STORAGE_FAILED';
}

/** The code of a system error, also of one that the SDK or Node wrapped. */
function systemCodeOf(error: SdkError): string {
  if (error.code) return error.code;
  const inner = error.cause as SdkError | undefined;
  return inner?.code ?? '';
}

function reasonFor(error: SdkError): string {
  const name = error.name && error.name !== 'Error' ? error.name : error.code;
  const status = s3ErrorStatus(error);
  const message = error.message && error.message !== error.name ? error.message : '';
  const parts = [name ?? '', message].filter((part) => part !== '').join(': ');
  if (parts === '' || parts.startsWith('UnknownError')) return `HTTP status ${status ?? 'unknown'}`;
  return parts.slice(0, 500);
}
