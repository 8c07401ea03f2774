import path from 'node:path';
import { type BytePath, fromText, isWithin } from './byte-paths.ts';

/**
 * The configured paths without `.`, `..`, double and trailing slashes and repetitions, in the order of a walk: each comes
 * right before those that lie in it, also where `/a-b` or `/a.b` stand between `/a` and `/a/c` by their bytes. Who builds
 * trees has left `/a` for good once something comes that does not lie in it.
 */
export function normalizeRoots(paths: readonly string[]): BytePath[] {
  const roots = paths.map((item) => fromText(path.posix.normalize(item).replace(/(?<=.)\/+$/, '')));
  return [...new Set(roots)].sort((a, b) => (walkOrder(a) < walkOrder(b) ? -1 : 1));
}

/** No name holds a NUL, and every other byte comes after it. */
function walkOrder(path: BytePath): string {
  return path.replaceAll('/', '\0');
}

/** Roots that lie in no other root; these decide where things go on restore. */
export function outermostRoots(paths: readonly string[]): BytePath[] {
  const roots = normalizeRoots(paths);
  return roots.filter((root) => !roots.some((other) => other !== root && isWithin(root, other)));
}
