/** A private folder for one test file, removed afterwards (also what a restore made read-only). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface WorkFolder {
  readonly path: string;
  /** A path inside it. */
  at(...parts: string[]): string;
  remove(): void;
}

export function makeWorkFolder(name: string): WorkFolder {
  const folder = mkdtempSync(path.join(tmpdir(), `backupx-${name}-`));
  return {
    path: folder,
    at: (...parts) => path.join(folder, ...parts),
    remove: () => {
      execFileSync('rm', ['-rf', folder]);
    },
  };
}
