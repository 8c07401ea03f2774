import { lstatSync } from 'node:fs';
import { type BytePath, isWithin, parentPath, toBytes } from './byte-paths.ts';

export interface LinkBetween {
  readonly link: BytePath;
  /** The path that leads through it. */
  readonly root: BytePath;
}

/**
 * Links that lie in one root and on the way to another: each is an item of the first and a folder above the second, and a
 * restore can make one of the two only. `roots`: from `normalizeRoots`.
 */
export function linksBetweenRoots(roots: readonly BytePath[]): LinkBetween[] {
  const found = new Map<BytePath, LinkBetween>();
  for (const root of roots) {
    for (let at = parentPath(root); at !== '/'; at = parentPath(at)) {
      const isItem = !roots.includes(at) && roots.some((other) => isWithin(at, other));
      if (isItem && !found.has(at) && isLink(at)) found.set(at, { link: at, root });
    }
  }
  return [...found.values()];
}

function isLink(path: BytePath): boolean {
  try {
    return lstatSync(toBytes(path)).isSymbolicLink();
  } catch {
    // The walk tells of what cannot be looked at.
    return false;
  }
}
