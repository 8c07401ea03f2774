/**
 * PostgreSQL's client programs on this machine. A dump program refuses servers newer than itself and reads all older
 * ones, so each server gets the programs of its own version where they are there, else the next newer ones.
 */
import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool, versionFolders } from '../../ports/find-tool.ts';
import { isSuccess, runTool } from '../../ports/processes.ts';

/** One installed version. */
export interface Programs {
  readonly folder: string;
  /** `15.18` */
  readonly version: string;
  readonly major: number;
}

const DEBIAN = '/usr/lib/postgresql';
const VERSION_LIMIT_MS = 10_000;

/** What is installed, oldest first. `toolFolder` set: there and nowhere else. Throws DATABASE_TOOL_MISSING. */
export async function installedPrograms(toolFolder: string, signal: AbortSignal): Promise<Programs[]> {
  const folders = toolFolder === '' ? usualFolders() : [toolFolder];
  const all = await Promise.all(folders.map((folder) => readVersion(folder, signal)));
  const found = all.filter((item) => item !== null).sort((a, b) => a.major - b.major);
  if (found.length === 0)
    throw new AppError('DATABASE_TOOL_MISSING', { tool: 'pg_dump', package: 'postgresql-client' });
  return found;
}

function usualFolders(): string[] {
  const debian = versionFolders(DEBIAN).map((version) => join(DEBIAN, version, 'bin'));
  const redHat = pgsqlFolders().map((name) => `/usr/${name}/bin`);
  const plain = findTool(['pg_dump']);
  // Debian's /usr/bin/pg_dump is a script that chooses a version by rules of its own.
  const isScript = plain !== null && realpathSync(plain).endsWith('pg_wrapper');
  return [...new Set([...debian, ...redHat, ...(plain === null || isScript ? [] : [dirname(plain)])])];
}

/** `/usr/pgsql-17` of the packages for Red Hat. */
function pgsqlFolders(): string[] {
  try {
    return readdirSync('/usr').filter((name) => /^pgsql-\d+$/.test(name));
  } catch {
    return [];
  }
}

async function readVersion(folder: string, signal: AbortSignal): Promise<Programs | null> {
  const program = join(folder, 'pg_dump');
  const isThere = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql'].every((name) => findIn(folder, name));
  if (!isThere) return null;
  const said = await runTool({ program, args: ['--version'] }, { signal, timeoutMs: VERSION_LIMIT_MS });
  const version = /\b(\d+)(?:\.\d+)+/.exec(said.text);
  return isSuccess(said) && version ? { folder, version: version[0], major: Number(version[1]) } : null;
}

function findIn(folder: string, name: string): boolean {
  return findTool([name], [folder]) === join(folder, name);
}

/** Throws DATABASE_TOOL_MISMATCH: with an older program nothing is begun. */
export function programsForServer(
  installed: readonly Programs[],
  serverMajor: number,
  serverVersion: string,
): Programs {
  return orMismatch(
    installed.find((item) => item.major >= serverMajor),
    { installed, major: serverMajor, serverVersion },
  );
}

/**
 * For a dump that a program of `dumpMajor` wrote and a server to restore it into. A newer program than the server may
 * send settings it does not know, so the nearest that can read the dump is taken. Throws DATABASE_TOOL_MISMATCH.
 */
export function programsForRestore(installed: readonly Programs[], dumpMajor: number, serverMajor: number): Programs {
  const major = Math.max(dumpMajor, serverMajor);
  const serverVersion = `${serverMajor} and a dump of version ${dumpMajor}`;
  return orMismatch(
    installed.find((item) => item.major >= major),
    { installed, major, serverVersion },
  );
}

function orMismatch(
  found: Programs | undefined,
  about: { installed: readonly Programs[]; major: number; serverVersion: string },
): Programs {
  if (found) return found;
  const { installed, major, serverVersion } = about;
  const toolVersion = installed.at(-1)?.version ?? '';
  const packageName = `postgresql-client-${major}`;
  throw new AppError('DATABASE_TOOL_MISMATCH', { tool: 'pg_dump', toolVersion, serverVersion, package: packageName });
}
