/**
 * Writes one object of unknown length: a single PUT when it fits one part, else a multipart upload with at most two
 * parts on the way while the next one fills. Whatever ends it early, no part is left on the server to be paid for.
 */
import { createHash } from 'node:crypto';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { cancelledError, pullBody, throwIfCancelled } from '../../ports/pull-body.ts';
import type { S3Client } from './connection.ts';
import { FIRST_PART_BYTES, MAX_PARTS, partSizeBytes } from './part-sizes.ts';
import { s3Error, s3ErrorName, s3ErrorStatus } from './s3-error.ts';

/** Where the object goes: `objectKey` is the full key in the bucket. */
export interface UploadTarget extends S3Client {
  readonly bucket: string;
  readonly objectKey: string;
}

export interface UploadOptions {
  readonly signal: AbortSignal;
  readonly sizeBytes?: number;
}

interface Part {
  readonly partNumber: number;
  readonly bytes: Buffer;
}

/** Above this size only one part is on the way at a time. */
const PARALLEL_PART_BYTES = 2 * FIRST_PART_BYTES;
const ABORT_LIMIT_MS = 15_000;
const ABORT_ATTEMPTS = 3;
/** Joining thousands of parts may take a server a while; the SDK's idle limit still applies to each attempt. */
const COMPLETE_LIMIT_MS = 300_000;

/** Uploads `body`; throws what the body threw wrapped in `BodyFailure`, or an error of the SDK. */
export async function upload(
  target: UploadTarget,
  body: AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<void> {
  const spare: Buffer[] = [];
  const parts = cutIntoParts(pullBody(body, options.signal), spare, options.sizeBytes);
  try {
    const first = (await parts.next()).value ?? { partNumber: 1, bytes: Buffer.alloc(0) };
    // A part that is not full is the last one.
    if (first.bytes.byteLength < partSizeBytes(1, options.sizeBytes))
      await putWhole(target, first.bytes, options.signal);
    else await putInParts(target, { first, rest: parts, spare }, options.signal);
  } finally {
    await parts.return(undefined);
  }
}

/**
 * Copies chunks into parts; every part but the last is full. Sent buffers come back through `spare`: sockets that are
 * kept alive hold on to what they sent last, so fresh buffers for every part would add up.
 */
async function* cutIntoParts(
  chunks: AsyncIterable<Uint8Array>,
  spare: Buffer[],
  sizeBytes?: number,
): AsyncGenerator<Part, undefined> {
  const takeBuffer = (wantedBytes: number): Buffer => {
    const used = spare.pop();
    return used?.length === wantedBytes ? used : Buffer.allocUnsafeSlow(wantedBytes);
  };
  let partNumber = 1;
  let buffer = takeBuffer(partSizeBytes(1, sizeBytes));
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; ) {
      if (filled === buffer.length) {
        yield { partNumber, bytes: buffer };
        partNumber += 1;
        if (partNumber > MAX_PARTS) throw new AppError('STORAGE_FULL', { reason: 'the object is too large for S3' });
        buffer = takeBuffer(partSizeBytes(partNumber, sizeBytes));
        filled = 0;
      }
      const taken = chunk.subarray(at, at + buffer.length - filled);
      buffer.set(taken, filled);
      filled += taken.byteLength;
      at += taken.byteLength;
    }
  }
  yield { partNumber, bytes: buffer.subarray(0, filled) };
}

async function putWhole(target: UploadTarget, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  const input = { Bucket: target.bucket, Key: target.objectKey, Body: bytes, ContentLength: bytes.byteLength };
  const answer = await target.client.send(new target.sdk.PutObjectCommand(input), { abortSignal: signal });
  requireETag(answer.ETag);
}

/** Every S3 server sends an ETag; something else that says 200 to everything (a proxy, a web page) does not. */
function requireETag(etag: string | undefined): string {
  if (!etag) throw new AppError('STORAGE_CONFIG', { reason: 'the endpoint does not answer like an S3 server' });
  return etag;
}

async function putInParts(
  target: UploadTarget,
  { first, rest, spare }: { first: Part; rest: AsyncGenerator<Part, undefined>; spare: Buffer[] },
  signal: AbortSignal,
): Promise<void> {
  throwIfCancelled(signal);
  // Not cancellable: an upload whose id we never learn could not be cleaned up. The SDK's time limits apply.
  const created = await target.client.send(
    new target.sdk.CreateMultipartUploadCommand({ Bucket: target.bucket, Key: target.objectKey }),
  );
  const uploadId = created.UploadId;
  if (!uploadId) throw new AppError('STORAGE_FAILED', { reason: 'the server gave no upload id' });
  const sender = new PartSender({ ...target, uploadId }, spare, signal);
  try {
    await sender.send(first);
    for await (const part of rest) await sender.send(part);
    const completed = await sender.finish();
    throwIfCancelled(signal);
    await complete({ ...target, uploadId }, completed);
  } catch (error) {
    await sender.stop();
    await abortUpload({ ...target, uploadId });
    throw error;
  }
}

type OpenUpload = UploadTarget & { readonly uploadId: string };

/** Sends parts side by side, as many as memory allows; the first failure stops all. */
class PartSender {
  readonly #upload: OpenUpload;
  readonly #spare: Buffer[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #callerSignal: AbortSignal;
  readonly #onTheWay = new Set<Promise<void>>();
  readonly #completed: CompletedPart[] = [];
  #failure: { readonly error: unknown } | null = null;

  constructor(upload: OpenUpload, spare: Buffer[], signal: AbortSignal) {
    this.#upload = upload;
    this.#spare = spare;
    this.#callerSignal = signal;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** Takes a part over; returns when there is room for the next. */
  async send(part: Part): Promise<void> {
    this.#throwIfFailed();
    const sending = this.#sendPart(part)
      .catch((error) => {
        this.#failure ??= { error: this.#callerSignal.aborted ? cancelledError(this.#callerSignal) : error };
        this.#stop.abort();
      })
      .finally(() => this.#onTheWay.delete(sending));
    this.#onTheWay.add(sending);
    const most = part.bytes.byteLength <= PARALLEL_PART_BYTES ? 2 : 1;
    while (this.#onTheWay.size >= most && !this.#failure) await Promise.race(this.#onTheWay);
    this.#throwIfFailed();
  }

  /** Waits for the rest and answers the list that completes the upload. */
  async finish(): Promise<CompletedPart[]> {
    await Promise.all(this.#onTheWay);
    this.#throwIfFailed();
    return this.#completed.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
  }

  /** Cancels what is on the way and waits until it is over, so that no part arrives after the upload was aborted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#onTheWay);
  }

  async #sendPart({ partNumber, bytes }: Part): Promise<void> {
    const { client, sdk, bucket, objectKey, uploadId } = this.#upload;
    const input = { Bucket: bucket, Key: objectKey, UploadId: uploadId, PartNumber: partNumber };
    const sent = await client.send(
      new sdk.UploadPartCommand({ ...input, Body: bytes, ContentLength: bytes.byteLength }),
      { abortSignal: this.#signal },
    );
    this.#completed.push({ PartNumber: partNumber, ETag: requireETag(sent.ETag) });
    this.#spare.push(bytes);
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

/**
 * Joins the parts. Not cancellable, since nobody could tell whether it happened. When the answer is lost although the
 * server did join them, the object's ETag (MD5 of the parts' MD5s, a dash, their number) shows it.
 */
async function complete(upload: OpenUpload, parts: CompletedPart[]): Promise<void> {
  const { client, sdk, bucket, objectKey, uploadId } = upload;
  try {
    await client.send(
      new sdk.CompleteMultipartUploadCommand({
        Bucket: bucket,
        Key: objectKey,
        UploadId: uploadId,
        MultipartUpload: { Parts: parts },
      }),
      { abortSignal: AbortSignal.timeout(COMPLETE_LIMIT_MS) },
    );
  } catch (error) {
    const isUnclear = s3ErrorName(error) === 'NoSuchUpload' || s3ErrorStatus(error) === undefined;
    if (!isUnclear || !(await hasETag(upload, joinedETag(parts)))) throw error;
  }
}

/** ETag of a joined object, or null when the parts' ETags are not MD5 sums (some servers, encrypted buckets). */
export function joinedETag(parts: readonly CompletedPart[]): string | null {
  const hash = createHash('md5');
  for (const part of parts) {
    const md5 = /^"?([0-9a-f]{32})"?$/i.exec(part.ETag ?? '')?.[1];
    if (!md5) return null;
    hash.update(Buffer.from(md5, 'hex'));
  }
  return `${hash.digest('hex')}-${parts.length}`;
}

async function hasETag(upload: OpenUpload, expected: string | null): Promise<boolean> {
  if (expected === null) return false;
  const command = new upload.sdk.HeadObjectCommand({ Bucket: upload.bucket, Key: upload.objectKey });
  const head = await upload.client
    .send(command, { abortSignal: AbortSignal.timeout(ABORT_LIMIT_MS) })
    .catch(() => null);
  return head?.ETag?.replaceAll('"', '').toLowerCase() === expected;
}

/** Removes the parts, whatever state the caller's signal is in; gives up quietly after a bounded time. */
async function abortUpload(upload: OpenUpload): Promise<void> {
  const { client, sdk, bucket, objectKey, uploadId } = upload;
  const deadline = AbortSignal.timeout(ABORT_LIMIT_MS);
  for (let attempt = 1; attempt <= ABORT_ATTEMPTS && !deadline.aborted; attempt++) {
    try {
      const input = { Bucket: bucket, Key: objectKey, UploadId: uploadId };
      await client.send(new sdk.AbortMultipartUploadCommand(input), { abortSignal: deadline });
      return;
    } catch (error) {
      if (s3ErrorName(error) === 'NoSuchUpload' || !s3Error(error, objectKey).retryable) return;
      await systemClock.sleep(500 * attempt, deadline).catch(() => {});
    }
  }
}
