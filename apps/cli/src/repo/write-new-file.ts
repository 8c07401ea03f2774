import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@backupx/contracts/errors';

/** A file system that knows no second names for a file. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Makes a new file out of a stream, whole or not at all: it has another name until everything is on the disk, so that
 * not even a program that was killed leaves a part that looks like the whole. Throws INVALID_INPUT for a name that is
 * taken or cannot be written, and what the stream throws.
 */
export async function writeNewFile(stream: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  if (await exists(path)) throw notWritten(path, 'EEXIST');
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  const file = await open(partial, 'wx', 0o600).catch((cause: NodeJS.ErrnoException): FileHandle => {
    throw notWritten(path, cause.code);
  });
  try {
    await pipeline(stream, file.createWriteStream({ flush: true }));
    await giveName(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/** A link never takes the place of a file that came meanwhile. */
async function giveName(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (!NO_LINKS.has(code) || (await exists(path))) throw notWritten(path, code);
    await rename(partial, path);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function notWritten(path: string, code = 'unknown'): AppError {
  return new AppError(
    'INVALID_INPUT',
    {},
    { fields: [{ path, code: 'not_written', message: `it cannot be made: ${code}` }] },
  );
}
