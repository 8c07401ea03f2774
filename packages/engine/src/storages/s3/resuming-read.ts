/**
 * Reads an object, and when the stream breaks midway goes on at the byte it reached, as long as the object is the same
 * (its ETag tells). A reader so slow that the server hangs up is served the same way.
 */
import type { Readable } from 'node:stream';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { cancelledError, throwIfCancelled } from '../../ports/pull-body.ts';
import type { ByteRange } from '../../ports/storage.ts';
import type { S3Client } from './connection.ts';
import { s3Error, s3ErrorName, s3ErrorStatus } from './s3-error.ts';

export interface ReadRequest extends S3Client {
  readonly bucket: string;
  readonly objectKey: string;
  /** Key as the caller knows it, for messages. */
  readonly key: string;
  readonly range?: ByteRange;
  readonly signal: AbortSignal;
}

/** Breaks in a row without real progress before the reading fails. */
const MAX_BREAKS = 5;
/** A connection that brought at least this many bytes counts as progress. */
const PROGRESS_BYTES = 64 * 1024;
const BREAK_DELAY_MS = 300;

/** Yields the bytes asked for; nothing when the range lies past the end. */
export async function* readResuming(request: ReadRequest): AsyncGenerator<Uint8Array> {
  let position = request.range?.start ?? 0;
  let etag: string | undefined;
  for (let breaks = 0; ; ) {
    const startedAt = position;
    try {
      const answer = await requestFrom(request, position, etag);
      if (!answer) return;
      etag ??= answer.etag;
      for await (const chunk of answer.body) {
        position += chunk.byteLength;
        yield chunk;
      }
      if (answer.sizeBytes === undefined || position - startedAt >= answer.sizeBytes) return;
      throw new AppError('STORAGE_UNREACHABLE', { reason: 'the server ended the object early' });
    } catch (error) {
      breaks = position - startedAt >= PROGRESS_BYTES ? 0 : breaks + 1;
      await waitOrThrow(error, { request, breaks, hasStarted: etag !== undefined });
    }
  }
}

interface Answer {
  readonly body: Readable;
  readonly etag: string | undefined;
  readonly sizeBytes: number | undefined;
}

async function requestFrom(request: ReadRequest, position: number, etag?: string): Promise<Answer | null> {
  throwIfCancelled(request.signal);
  const { client, sdk, bucket, objectKey, range } = request;
  const last = range?.end === undefined ? '' : range.end - 1;
  const isWhole = position === 0 && last === '';
  try {
    const answer = await client.send(
      new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: objectKey,
        Range: isWhole ? undefined : `bytes=${position}-${last}`,
        IfMatch: etag,
      }),
      { abortSignal: request.signal },
    );
    return { body: answer.Body as Readable, etag: answer.ETag, sizeBytes: answer.ContentLength };
  } catch (error) {
    const isPastEnd = s3ErrorStatus(error) === 416 || s3ErrorName(error) === 'InvalidRange';
    if (isPastEnd) return null;
    throw error;
  }
}

/** Decides whether a broken reading goes on: only after it has begun, and only for passing troubles. */
async function waitOrThrow(
  error: unknown,
  { request, breaks, hasStarted }: { request: ReadRequest; breaks: number; hasStarted: boolean },
): Promise<void> {
  if (request.signal.aborted) throw cancelledError(request.signal);
  if (s3ErrorStatus(error) === 412) {
    throw new AppError('STORAGE_FAILED', { reason: `${request.key} was replaced while it was read` }, { cause: error });
  }
  const appError = s3Error(error, request.key);
  if (!hasStarted || !appError.retryable || breaks >= MAX_BREAKS) throw appError;
  await systemClock.sleep(BREAK_DELAY_MS * breaks, request.signal).catch(() => {
    throw cancelledError(request.signal);
  });
}
