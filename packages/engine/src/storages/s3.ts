/**
 * Storage in a bucket of any S3-compatible server. Objects of unknown length go up in parts with bounded memory, reads
 * that break go on where they stopped, and only calls that old and small servers know are used (single deletes,
 * ListObjectsV2, no checksum trailers). Atomicity is S3's own: an object appears when it is complete.
 */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { systemClock } from '../ports/clock.ts';
import { BodyFailure, cancelledError, throwIfCancelled } from '../ports/pull-body.ts';
import { defineStorage, type PutOptions, type Storage, type StoredObject } from '../ports/storage.ts';
import { assertStorageKey, assertStoragePrefix, isStorageKey } from '../ports/storage-key.ts';
import { S3Connection, type S3Settings } from './s3/connection.ts';
import { readResuming } from './s3/resuming-read.ts';
import { isConditionUnknown, s3Error, s3ErrorStatus } from './s3/s3-error.ts';
import { sweepUploads } from './s3/sweep-uploads.ts';
import { upload } from './s3/upload.ts';

/** No upload takes a week; one this old was left by a crash. */
const STALE_UPLOAD_MS = 7 * 24 * 3600 * 1000;

const isPrefix = (prefix: string): boolean => trimSlashes(prefix) === '' || isStorageKey(trimSlashes(prefix));

const configSchema = z.object({
  endpoint: z
    .string()
    .trim()
    .regex(/^https?:\/\/[^\s/?#@]+\/?$/i, 'must look like https://host or https://host:port')
    .meta({ label: 'Endpoint', placeholder: 'https://s3.eu-central-1.amazonaws.com' }),
  region: z.string().trim().min(1).default('us-east-1').meta({ label: 'Region' }),
  bucket: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{1,254}$/, 'is not a bucket name')
    .meta({ label: 'Bucket', help: 'Must exist already.' }),
  prefix: z
    .string()
    .refine(isPrefix, 'must be a plain path without empty, "." or ".." parts')
    .optional()
    .meta({ label: 'Prefix', help: 'Folder inside the bucket; empty: the whole bucket.', placeholder: 'backups/web' }),
  accessKeyId: z.string().trim().min(1).meta({ label: 'Access key' }),
  secretAccessKey: z.string().min(1).meta({ label: 'Secret key', secret: true }),
  sessionToken: z.string().optional().meta({ label: 'Session token', secret: true, advanced: true }),
  forcePathStyle: z.boolean().default(false).meta({
    label: 'Path style',
    help: 'Puts the bucket into the path instead of the host name; most self-hosted servers want it.',
  }),
  caCertificate: z
    .string()
    .refine((pem) => pem.trim() === '' || pem.includes('-----BEGIN CERTIFICATE-----'), 'must be PEM text')
    .optional()
    .meta({ label: 'CA certificate', help: 'PEM text of a private CA.', multiline: true, advanced: true }),
  insecureTls: z.boolean().optional().meta({
    label: 'Do not check the TLS certificate',
    help: 'Anybody on the way can then read and change the data.',
    advanced: true,
  }),
});

/** The driver `s3`. */
export const s3 = defineStorage({
  type: 's3',
  title: 'S3-compatible',
  config: configSchema,
  create: (config) => new S3Storage(config),
});

class S3Storage implements Storage {
  readonly #bucket: string;
  /** Empty, or ends with a slash. */
  readonly #prefix: string;
  readonly #connection: S3Connection;
  #hasSwept = false;

  constructor(settings: S3Settings) {
    this.#bucket = settings.bucket;
    const prefix = trimSlashes(settings.prefix ?? '');
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#connection = new S3Connection(settings);
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    assertStorageKey(key);
    throwIfCancelled(options.signal);
    try {
      const opened = await this.#connection.open();
      await this.#sweepOnce(key);
      await upload({ ...opened, ...this.#place(key) }, body, options);
    } catch (error) {
      if (error instanceof BodyFailure) throw error.cause;
      const appError = translate(error, key, options.signal);
      // What is written cannot be missing: such an answer comes from something else than the bucket.
      throw appError.code === 'STORAGE_NOT_FOUND' ? notS3Error(error) : appError;
    }
  }

  async putIfAbsent(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean | null> {
    assertStorageKey(key);
    throwIfCancelled(signal);
    try {
      const { client, sdk } = await this.#connection.open();
      const { bucket, objectKey } = this.#place(key);
      const input = { Bucket: bucket, Key: objectKey, Body: bytes, ContentLength: bytes.byteLength, IfNoneMatch: '*' };
      await client.send(new sdk.PutObjectCommand(input), { abortSignal: signal });
      return true;
    } catch (error) {
      if (s3ErrorStatus(error) === 412) return false;
      if (!signal.aborted && isConditionUnknown(error)) return null;
      throw translate(error, key, signal);
    }
  }

  async *get(key: string, { signal, range }: Parameters<Storage['get']>[1]): AsyncGenerator<Uint8Array> {
    assertStorageKey(key);
    throwIfCancelled(signal);
    const isEmpty = range?.end !== undefined && range.end <= range.start;
    try {
      // HTTP cannot ask for nothing; whether the object is there is still to be told.
      if (isEmpty) await this.stat(key, signal);
      else yield* readResuming({ ...(await this.#connection.open()), ...this.#place(key), key, range, signal });
    } catch (error) {
      throw translate(error, key, signal);
    }
  }

  async stat(key: string, signal: AbortSignal): Promise<StoredObject> {
    assertStorageKey(key);
    throwIfCancelled(signal);
    try {
      const { client, sdk } = await this.#connection.open();
      const { bucket, objectKey } = this.#place(key);
      const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: objectKey });
      const head = await client.send(command, { abortSignal: signal });
      return { key, sizeBytes: head.ContentLength ?? 0, modifiedAt: head.LastModified ?? null };
    } catch (error) {
      if (s3ErrorStatus(error) === 404) await this.#assertBucket(signal);
      throw translate(error, key, signal);
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    assertStoragePrefix(prefix);
    throwIfCancelled(signal);
    try {
      for await (const objects of this.#pages(this.#prefix + prefix, signal)) {
        for (const object of objects) {
          const key = object.Key?.slice(this.#prefix.length) ?? '';
          // Folder markers and other programs' odd names are no objects of ours: no call could reach them.
          if (isStorageKey(key)) yield { key, sizeBytes: object.Size ?? 0, modifiedAt: object.LastModified ?? null };
        }
      }
    } catch (error) {
      throw translate(error, prefix, signal);
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    assertStorageKey(key);
    throwIfCancelled(signal);
    try {
      const { client, sdk } = await this.#connection.open();
      const { bucket, objectKey } = this.#place(key);
      await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: objectKey }), { abortSignal: signal });
    } catch (error) {
      const appError = translate(error, key, signal);
      if (appError.code !== 'STORAGE_NOT_FOUND') throw appError;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Clears up after crashed writers, below the first folder of our keys: nothing else in the bucket is surely ours. */
  async #sweepOnce(key: string): Promise<void> {
    const prefix = this.#prefix + key.slice(0, key.indexOf('/') + 1);
    if (this.#hasSwept || prefix === '') return;
    this.#hasSwept = true;
    const startedBefore = new Date(systemClock.now().getTime() - STALE_UPLOAD_MS);
    await sweepUploads({ ...(await this.#connection.open()), bucket: this.#bucket, prefix, startedBefore });
  }

  async *#pages(prefix: string, signal: AbortSignal) {
    const { client, sdk } = await this.#connection.open();
    let token: string | undefined;
    do {
      throwIfCancelled(signal);
      const input = { Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token };
      const page = await client.send(new sdk.ListObjectsV2Command(input), { abortSignal: signal });
      // A web page that says 200 to everything would otherwise look like an empty bucket.
      if (page.Name === undefined && page.IsTruncated === undefined) throw notS3Error();
      yield page.Contents ?? [];
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token);
  }

  #place(key: string) {
    return { bucket: this.#bucket, objectKey: this.#prefix + key };
  }

  /** The answer to HEAD has no body, so a missing bucket looks like a missing object until the bucket is asked for. */
  async #assertBucket(signal: AbortSignal): Promise<void> {
    const { client, sdk } = await this.#connection.open();
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: this.#bucket }), { abortSignal: signal });
    } catch (error) {
      if (s3ErrorStatus(error) !== 404) return;
      throw new AppError('STORAGE_CONFIG', { reason: `there is no bucket ${this.#bucket}` }, { cause: error });
    }
  }
}

const notS3Error = (cause?: unknown) =>
  new AppError('STORAGE_CONFIG', { reason: 'the endpoint does not answer like an S3 server' }, { cause });

/** After a cancel every error is the cancel's doing. */
function translate(error: unknown, key: string, signal: AbortSignal): AppError {
  return signal.aborted ? cancelledError(signal) : s3Error(error, key);
}

function trimSlashes(path: string): string {
  return path.trim().replace(/^\/+|\/+$/g, '');
}
