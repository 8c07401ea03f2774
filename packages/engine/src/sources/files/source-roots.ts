import path from 'node:path';
import { type BytePath, fromText, isWithin } from './byte-paths.ts';

/** The configured paths without `.`, `..`, double and trailing slashes and repetitions, in byte order. */
export function normalizeRoots(paths: readonly string[]): BytePath[] {
  const roots = paths.map((item) => fromText(path.posix.normalize(item).replace(/(?<=.)\/+$/, '')));
  return [...new Set(roots)].sort();
}

/** Roots that lie in no other root; these decide where things go on restore. */
export function outermostRoots(paths: readonly string[]): BytePath[] {
  const roots = normalizeRoots(paths);
  return roots.filter((root) => !roots.some((other) => other !== root && isWithin(root, other)));
}
