import { chmodSync, chownSync, lchownSync, lstatSync, statSync } from 'node:fs';

/** Whose a folder is, and what others may do in it. */
export interface FolderAccess {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Of a folder, or of that behind a link. Throws what the file system says. */
export function accessOf(folder: string): FolderAccess {
  const { uid, gid, mode } = statSync(folder);
  return { uid, gid, mode: mode & 0o7777 };
}

/** Only root can give away, and only what root made is not theirs. */
export function setAccess(folder: string, { uid, gid, mode }: FolderAccess): void {
  const present = accessOf(folder);
  if (process.getuid?.() === 0 && (present.uid !== uid || present.gid !== gid)) chownSync(folder, uid, gid);
  if (present.mode !== mode) chmodSync(folder, mode);
}

/** The same for the owner of a link. */
export function giveTo(link: string, { uid, gid }: Pick<FolderAccess, 'uid' | 'gid'>): void {
  const present = lstatSync(link);
  if (process.getuid?.() === 0 && (present.uid !== uid || present.gid !== gid)) lchownSync(link, uid, gid);
}
