/**
 * Time and environment enter through one door each: `Date.now()`, `new Date()` and `process.env` are forbidden outside
 * the ports of clock and processes, the configuration loaders, the entry points and the console.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { listSourceFiles } from './source-files.ts';

const forbidden = [
  { pattern: /\bDate\.now\(/, name: 'Date.now()', advice: 'take a Clock' },
  { pattern: /\bnew Date\(\)/, name: 'new Date()', advice: 'take a Clock' },
  { pattern: /\bprocess\.env\b/, name: 'process.env', advice: 'read it in the configuration loader' },
];

/** Files that are such a door, and what is no production code of the data or control plane. */
const doors =
  /^(packages\/engine\/src\/ports\/(clock|processes)\.ts|apps\/server\/src\/(config\/|main\.ts)|apps\/agent\/src\/(config|main)\.ts|apps\/cli\/|apps\/web\/|bench\/|tools\/|tests\/|[^/]+\.ts$)/;

/** One sentence per use outside the doors. */
export function checkGlobals(root: string): string[] {
  return listSourceFiles(root)
    .filter((file) => !file.isTest && !doors.test(file.path))
    .flatMap((file) => findForbidden(file.path, readFileSync(path.join(root, file.path), 'utf8')));
}

export function findForbidden(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, '').replace(/`[^`]*`/g, '``');
    return forbidden
      .filter((rule) => rule.pattern.test(code))
      .map((rule) => `${file}:${index + 1}: ${rule.name} is not allowed here; ${rule.advice}`);
  });
}

if (import.meta.main) {
  const problems = checkGlobals(path.resolve(import.meta.dirname, '..'));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
