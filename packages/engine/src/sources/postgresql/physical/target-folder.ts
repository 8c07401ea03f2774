/** What is where a restore is to go. Nothing is looked over: a running server, a folder of others, a foreign tablespace. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { TABLESPACE_FOLDER } from './entry-paths.ts';
import { contentOf } from './staged-folder.ts';

const PID_FILE = 'postmaster.pid';

/** Throws DATABASE_EXISTS, DATABASE_IN_USE, RESTORE_TARGET_INVALID. */
export function assertDataFolderFree(folder: string, { mayReplace }: { readonly mayReplace: boolean }): void {
  const names = contentOf(folder);
  if (names.length === 0) return;
  if (!names.includes('PG_VERSION') && !names.some((name) => name.startsWith('.backupx-old-')))
    throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: 'it is not empty, and no data directory' });
  assertNotRunning(folder);
  if (!mayReplace)
    throw new AppError('DATABASE_EXISTS', { name: `The data directory ${folder}`, server: 'this machine' });
}

/** A server writes its number and its port into its data directory, and takes them out when it stops. Null: none runs. */
export function serverIn(folder: string): { readonly pid: number; readonly port: number | null } | null {
  const path = join(folder, PID_FILE);
  if (!existsSync(path)) return null;
  const lines = readFileSync(path, 'utf8').split('\n');
  const [pid, port] = [Number.parseInt(lines[0] ?? '', 10), Number.parseInt(lines[3] ?? '', 10)];
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null;
  return { pid, port: port > 0 ? port : null };
}

function assertNotRunning(folder: string): void {
  const server = serverIn(folder);
  if (!server) return;
  const where = server.port === null ? '' : ` on port ${server.port}`;
  throw new AppError('DATABASE_IN_USE', {
    name: `The data directory ${folder}`,
    sessions: `its server runs as process ${server.pid}${where}; stop it (if it does not run, remove ${PID_FILE})`,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Throws DATABASE_EXISTS for files of another server of that version, RESTORE_TARGET_INVALID for an odd place. */
export function assertTablespaceFree(
  location: string,
  {
    major,
    dataFolder,
    mayReplace,
  }: { readonly major: string; readonly dataFolder: string; readonly mayReplace: boolean },
): void {
  if (!location.startsWith('/'))
    throw new AppError('RESTORE_TARGET_INVALID', { path: location, reason: 'a tablespace needs an absolute path' });
  const names = contentOf(location);
  // Places come out of the artifact, and a folder of others must not become one of the server's.
  const foreign = names.find((name) => !/^PG_\d+_\d+$|^\.backupx-/.test(name));
  if (foreign !== undefined) {
    const reason = `a tablespace would lie there, and it holds other things (${foreign}); choose another place for it`;
    throw new AppError('RESTORE_TARGET_INVALID', { path: location, reason });
  }
  if (!names.some((name) => name.startsWith(`PG_${major}_`))) return;
  if (mayReplace && isTablespaceOf(dataFolder, location)) return;
  throw new AppError('DATABASE_EXISTS', { name: `A tablespace in ${location}`, server: 'this machine' });
}

/** True when the data directory that is replaced has its own tablespace there. */
function isTablespaceOf(dataFolder: string, location: string): boolean {
  try {
    const folder = join(dataFolder, TABLESPACE_FOLDER);
    const wanted = realpathSync(location);
    return readdirSync(folder).some((name) => realpathSync(join(folder, name)) === wanted);
  } catch {
    return false;
  }
}
