import { statfs } from 'node:fs/promises';
import { AppError } from '@backupx/contracts/errors';

export interface WantedSpace {
  /** For people: whose room this is. */
  readonly what: string;
  /** With less it cannot go well. */
  readonly leastBytes: number;
  /** With less it may not. */
  readonly wantedBytes: number;
}

/** Throws SOURCE_FAILED when a folder has less room than needed; answers a remark when it may have too little. */
export async function lookForSpace(folder: string, wanted: WantedSpace): Promise<string | null> {
  const { what, leastBytes, wantedBytes } = wanted;
  const { bavail, bsize, blocks } = await statfs(folder);
  const free = bavail * bsize;
  // Some file systems do not say.
  if (blocks === 0 || free >= wantedBytes) return null;
  const has = `${what} passes through ${folder}, which has ${Math.floor(free / 1e6)} MB free and`;
  if (free < leastBytes)
    throw new AppError('SOURCE_FAILED', { reason: `${has} needs ${Math.ceil(leastBytes / 1e6)} MB at least` });
  return `${has} may need ${Math.ceil(wantedBytes / 1e6)} MB.`;
}

/** True for what PostgreSQL and its programs say of a disk that is full. */
export function tellsOfNoRoom(message: string): boolean {
  return /No space left on device|Disk quota exceeded|Check free disk space/.test(message);
}
