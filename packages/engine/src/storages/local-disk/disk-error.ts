import { AppError } from '@backupx/contracts/errors';

/** The `code` of a system error, or an empty string. */
export const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException | null)?.code ?? '');

/** Settles like `work`, but answers undefined for the system errors named. */
export async function ignoreCodes<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codes.includes(codeOf(error))) return undefined;
    throw error;
  }
}

export const symlinkError = (path: string) =>
  new AppError('STORAGE_PERMISSION', { reason: `${path} is a symbolic link, which is never followed` });

const CODE_GROUPS = {
  STORAGE_FULL: ['ENOSPC', 'EDQUOT'],
  STORAGE_PERMISSION: ['EACCES', 'EPERM', 'EROFS', 'ELOOP'],
  STORAGE_INVALID_KEY: ['ENAMETOOLONG', 'ENOTDIR', 'EISDIR'],
  STORAGE_CONFIG: ['EXDEV', 'EFBIG', 'ENODEV'],
  STORAGE_UNREACHABLE: ['ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ETIMEDOUT', 'ESTALE'],
} as const;

/** Translates system errors into the port's codes; AppErrors pass. */
export function diskError(error: unknown, key: string): AppError {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  const reason = (error as Error | null)?.message ?? String(error);
  for (const [appCode, codes] of Object.entries(CODE_GROUPS)) {
    if ((codes as readonly string[]).includes(code)) {
      return new AppError(appCode as keyof typeof CODE_GROUPS, { reason, key: JSON.stringify(key) }, { cause: error });
    }
  }
  return new AppError('STORAGE_FAILED', { reason }, { cause: error });
}
