/** The `code` of a system error (`ENOENT`), or the empty string. */
export function errnoOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | null)?.code ?? '');
}

/** True when the thing is simply not there (any more). */
export function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'it is a symbolic link',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the disk reported an input/output error',
  EISDIR: 'a folder is in the way',
  ENOTEMPTY: 'the folder is not empty',
  EMFILE: 'too many open files',
};

/** A short sentence for people, without the path. */
export function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  return sentences[code] ?? (code || (error instanceof Error ? error.message : String(error)));
}
