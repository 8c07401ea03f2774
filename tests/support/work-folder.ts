/** A private folder for one test file, removed afterwards (also what a restore made read-only). */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface WorkFolder {
  readonly path: string;
  /** A path inside it. */
  at(...parts: string[]): string;
  remove(): void;
}

const MEMORY = '/dev/shm';

/** `isInMemory`: where there is a file system in memory, for tests that write and throw away a lot. */
export function makeWorkFolder(name: string, options: { isInMemory?: boolean } = {}): WorkFolder {
  const parent = options.isInMemory && existsSync(MEMORY) ? MEMORY : tmpdir();
  const folder = mkdtempSync(path.join(parent, `backupx-${name}-`));
  return {
    path: folder,
    at: (...parts) => path.join(folder, ...parts),
    remove: () => {
      execFileSync('rm', ['-rf', folder]);
    },
  };
}
