/** Locks as restic stores them (internal/restic/lock.go): who works in the repository since when. */
import { z } from 'zod';
import { goJson } from './go-json.ts';
import { parseJsonFile } from './json-file.ts';

export interface LockFile {
  /** RFC 3339 with any offset: when it was made or last refreshed. */
  readonly time: string;
  /** True: nobody else may have a lock; false: others may have shared ones. */
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const lockSchema = z.object({
  time: z.string(),
  exclusive: z.boolean().default(false),
  hostname: z.string().default(''),
  username: z.string().default(''),
  pid: z.number().default(0),
  uid: z.number().default(0),
  gid: z.number().default(0),
});

/** The JSON of a lock. */
export function packLock({ time, exclusive, hostname, username, pid, uid, gid }: LockFile): Buffer {
  const fields = { time, exclusive, hostname, username, pid, uid: uid || undefined, gid: gid || undefined };
  return Buffer.from(goJson(fields));
}

/** Throws REPOSITORY_DAMAGED. */
export function parseLock(json: Uint8Array): LockFile {
  return parseJsonFile('a lock', json, lockSchema);
}
