import { chmodSync, chownSync, statSync, utimesSync } from 'node:fs';
import type { SourceEntry } from '../../ports/source.ts';

/** Owner, rights and time of a file or folder. */
export interface FileMetadata {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly modifiedAtNs: bigint;
}

/** What an entry says of its file. */
export function metadataOfEntry({ uid, gid, mode, modifiedAtNs }: Omit<SourceEntry, 'content'>): FileMetadata {
  return { uid, gid, mode: mode & 0o7777, modifiedAtNs };
}

/** Gives a file what it had. Answers why it could not, or null. */
export function applyMetadata(path: string, { uid, gid, mode, modifiedAtNs }: FileMetadata): string | null {
  try {
    const current = statSync(path);
    // Changing the owner takes some rights away, so the rights come after it.
    if (current.uid !== uid || current.gid !== gid) chownSync(path, uid, gid);
    chmodSync(path, mode);
    utimesSync(path, current.atimeMs / 1000, Number(modifiedAtNs / 1000n) / 1e6);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
