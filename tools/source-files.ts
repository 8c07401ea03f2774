/** Lists the project's own TypeScript files, as git sees them (tracked and new, ignored ones left out). */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface SourceFile {
  /** Path from the root of the repository, with `/`. */
  readonly path: string;
  readonly isTest: boolean;
}

export function listSourceFiles(root: string): SourceFile[] {
  const output = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return [...new Set(output.split('\0'))]
    .filter((path) => path !== '' && !path.endsWith('.d.ts') && existsSync(`${root}/${path}`))
    .map((path) => ({ path, isTest: isTestPath(path) }));
}

function isTestPath(path: string): boolean {
  return (
    /\.test\.tsx?$/.test(path) || path.startsWith('tests/') || path.includes('/testing/') || path.includes('/mock/')
  );
}
