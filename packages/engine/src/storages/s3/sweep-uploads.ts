import type { S3Client } from './connection.ts';

export interface Sweep extends S3Client {
  readonly bucket: string;
  /** Uploads to keys below this are looked at; must not be empty. */
  readonly prefix: string;
  readonly startedBefore: Date;
}

const SWEEP_LIMIT_MS = 10_000;

/**
 * Aborts multipart uploads that a killed process left behind: their parts show in no list, yet take (paid) space.
 * Best effort within a bounded time and one page; servers or rights that do not allow it are no reason to fail.
 */
export async function sweepUploads({ client, sdk, bucket, prefix, startedBefore }: Sweep): Promise<void> {
  const abortSignal = AbortSignal.timeout(SWEEP_LIMIT_MS);
  try {
    const page = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }), {
      abortSignal,
    });
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      // Some servers ignore the prefix here.
      if (!Key?.startsWith(prefix) || !UploadId || !Initiated || Initiated >= startedBefore) continue;
      await client.send(new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), { abortSignal });
    }
  } catch {
    // The next put of another process tries again.
  }
}
