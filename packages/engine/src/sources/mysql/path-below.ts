/** Where below a folder the dumps of a backup are written. */
import { AppError } from '@backupx/contracts/errors';

/** The path as it is, when it leads nowhere else. Throws ARTIFACT_DAMAGED. */
export function pathBelow(entryPath: Uint8Array): string {
  const parts = Buffer.from(entryPath)
    .toString('utf8')
    .split('/')
    .filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..' || part.includes('\0'))) {
    throw new AppError('ARTIFACT_DAMAGED', { reason: 'a path in it leads out of its folder' });
  }
  return parts.join('/');
}
