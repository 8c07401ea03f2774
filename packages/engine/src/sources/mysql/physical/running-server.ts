import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';

/** Files that a running server keeps locked. */
const LOCKED = ['ibdata1', 'aria_log_control', 'ib_logfile0'];

/** The process id of a server that runs on this data folder; null: none was found. */
export function serverOn(folder: string): number | null {
  return holderOfLocks(folder) ?? processIn(folder);
}

/** The kernel lists locks for everyone, by the inode of the file. */
function holderOfLocks(folder: string): number | null {
  const files = LOCKED.flatMap((name) => statSync(join(folder, name), { throwIfNoEntry: false }) ?? []);
  const lines = readText('/proc/locks').split('\n');
  for (const line of lines) {
    const [, pid = '', , , inode = ''] = /(?:READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/.exec(line) ?? [];
    const locked = files.filter(({ ino }) => ino === Number(inode));
    if (locked.length > 0 && hasOpen(Number(pid), locked)) return Number(pid);
  }
  return null;
}

/**
 * Inodes are numbers of one file system only; where it can be seen, the process must have such a file open. Not looked
 * for by its path: in a container, or behind another mount, that is another one.
 */
function hasOpen(pid: number, files: readonly Stats[]): boolean {
  const isOne = (stats: Stats | undefined) => files.some(({ dev, ino }) => stats?.dev === dev && stats.ino === ino);
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => isOne(statOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return true;
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Servers work in their data folder. */
function processIn(folder: string): number | null {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (linkOf(`/proc/${name}/cwd`) !== folder) continue;
    if (/^(?:mariadbd|mysqld)$/.test(readText(`/proc/${name}/comm`).trim())) return Number(name);
  }
  return null;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
