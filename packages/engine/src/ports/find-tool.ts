import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where programs lie on every Unix; PATH of a service is often shorter. */
const FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin'];

/** Absolute path of the first of these programs that this machine has; `folders` are looked into first. Null: none. */
export function findTool(names: readonly string[], folders: readonly string[] = []): string | null {
  for (const name of names) {
    for (const folder of [...folders, ...FOLDERS]) {
      const path = join(folder, name);
      if (isProgram(path)) return path;
    }
  }
  return null;
}

/** Names in a folder of versions (`/usr/lib/postgresql` has `15`, `17`); none when there is no such folder. */
export function versionFolders(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d/.test(name));
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
