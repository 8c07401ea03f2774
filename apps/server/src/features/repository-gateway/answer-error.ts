/** Failures as restic's client understands them: by status. The body is ours, for our own client and for people. */
import type { ErrorCode } from '@backupx/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asAppError, chooseLanguage, errorAnswer } from '../../http/error-response.ts';
import { Refusal } from './refusal.ts';
import { RangeRefusal } from './send-file.ts';

/** Trouble between master and storage is no mistake of the client, whatever status it has elsewhere. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  STORAGE_CONFIG: 502,
  STORAGE_PERMISSION: 502,
  STORAGE_TYPE_UNKNOWN: 502,
  CANCELLED: 503,
};

/** A refused body up to this size (a pack) is read to its end, so that the client sees the answer and no broken connection. */
const MAX_DRAINED_BYTES = 32 * 1024 * 1024;
/** For so long; who was refused may be anybody, and could hold a connection for nothing. */
const MAX_DRAIN_MS = 5 * 60_000;

export function answerError(failure: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = failure instanceof Refusal ? failure.error : failure;
  const error = asAppError(known, request.id);
  const status = failure instanceof Refusal ? failure.status : (statusOf[error.code] ?? error.status);
  if (status >= 500 && error.code !== 'CANCELLED') request.log.error({ err: known }, error.message);
  else request.log.debug({ code: error.code, err: error.cause }, error.message);
  if (failure instanceof RangeRefusal) reply.header('content-range', `bytes */${failure.sizeBytes}`);
  if (status === 401) reply.header('www-authenticate', 'Basic realm="BackupX repository", charset="UTF-8"');
  if (status === 429) reply.header('retry-after', String(error.params.retryAfterSeconds));
  settleBody(request, reply);
  return reply
    .code(status)
    .removeHeader('content-length')
    .type('application/json; charset=utf-8')
    .send(errorAnswer(error, request.id, chooseLanguage(request.headers['accept-language'])));
}

function settleBody({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete || raw.destroyed) return;
  const announcedBytes = Number(raw.headers['content-length'] ?? Number.NaN);
  if (announcedBytes <= MAX_DRAINED_BYTES) drain(raw);
  else if (raw.headers['transfer-encoding'] !== undefined || announcedBytes > 0) reply.header('connection', 'close');
}

function drain(raw: FastifyRequest['raw']): void {
  raw.resume();
  const timer = setTimeout(() => raw.destroy(), MAX_DRAIN_MS);
  timer.unref();
  raw.once('close', () => clearTimeout(timer));
}
