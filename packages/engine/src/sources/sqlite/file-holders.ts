/** Which programs have a file open, as far as this user may see (root: all of them). */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { SIDECAR_SUFFIXES } from './sidecars.ts';

/** Device and inode of a file. */
export interface FileKey {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Null when there is no such file. */
export function fileKey(path: string): FileKey | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? { dev: stat.dev, ino: stat.ino } : null;
}

const textOf = ({ dev, ino }: FileKey): string => `${dev}:${ino}`;

/** A program that has a file open. */
export interface Holder {
  readonly pid: number;
  readonly program: string;
}

/** `name (process 12)`, for messages. */
export const describeHolder = ({ pid, program }: Holder): string => `${program} (process ${pid})`;

/** Programs that have a database or a file beside it open. */
export function holdersOfDatabase(path: string): Holder[] {
  const files = [path, ...SIDECAR_SUFFIXES.map((suffix) => `${path}${suffix}`)].map(fileKey);
  return holdersOf(files.filter((key) => key !== null));
}

/** `isOwnIgnored`: this process has them open itself. */
export function holdersOf(files: readonly FileKey[], { isOwnIgnored = false } = {}): Holder[] {
  if (files.length === 0) return [];
  const wanted = new Set(files.map(textOf));
  const pids = listNames('/proc').filter(
    (name) => /^\d+$/.test(name) && !(isOwnIgnored && Number(name) === process.pid),
  );
  return pids.filter((pid) => holdsAny(pid, wanted)).map((pid) => ({ pid: Number(pid), program: nameOf(pid) }));
}

function holdsAny(pid: string, wanted: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  return listNames(folder).some((name) => {
    try {
      const key = fileKey(`${folder}/${name}`);
      return key !== null && wanted.has(textOf(key));
    } catch {
      return false;
    }
  });
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'a program';
  }
}

/** None of a process that has gone or belongs to somebody else. */
function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
