import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs';
import { type BytePath, isWithin, joinPath, toBytes } from './byte-paths.ts';
import { isMissing, reasonOf } from './errno.ts';
import { createExcludeRules } from './exclude-rules.ts';

export interface FoundItem {
  readonly path: BytePath;
  readonly bytes: Buffer;
  readonly stats: BigIntStats;
}

export interface WalkOptions {
  /** Normalized, sorted (`normalizeRoots`). A root inside another one is walked in its own turn, not twice. */
  readonly roots: readonly BytePath[];
  readonly excludePatterns: readonly string[];
  readonly oneFileSystem: boolean;
  /** `isRoot`: a path the user named. */
  onProblem(path: BytePath, code: 'vanished' | 'unreadable', message: string): void;
  onRootLink?(path: BytePath): void;
}

interface OpenFolder {
  readonly path: BytePath;
  readonly names: readonly BytePath[];
  next: number;
}

/**
 * Yields every item below the roots, each folder before what is in it, names in byte order. Synchronous calls: many
 * times cheaper than promises, meant for a thread of its own. A root that is a symbolic link is followed, others never.
 */
export function* walkTree(options: WalkOptions): Generator<FoundItem> {
  for (const root of options.roots) yield* walkRoot(root, options);
}

function* walkRoot(root: BytePath, options: WalkOptions): Generator<FoundItem> {
  const stats = statRoot(root, options);
  if (!stats) return;
  yield { path: root, bytes: toBytes(root), stats };
  if (!stats.isDirectory()) return;
  const isExcluded = createExcludeRules(options.excludePatterns, root);
  const otherRoots = new Set(options.roots.filter((other) => other !== root && isWithin(other, root)));
  const open: OpenFolder[] = [];
  enterFolder(root, open, options);
  for (let folder = open.at(-1); folder; folder = open.at(-1)) {
    const name = folder.names[folder.next++];
    if (name === undefined) {
      open.pop();
      continue;
    }
    const path = joinPath(folder.path, name);
    if (otherRoots.has(path)) continue;
    const bytes = toBytes(path);
    const itemStats = statItem(path, bytes, options);
    if (!itemStats || isExcluded(path, itemStats.isDirectory())) continue;
    yield { path, bytes, stats: itemStats };
    if (!itemStats.isDirectory()) continue;
    if (options.oneFileSystem && itemStats.dev !== stats.dev) continue;
    enterFolder(path, open, options);
  }
}

function statRoot(root: BytePath, options: WalkOptions): BigIntStats | null {
  const own = statItem(root, toBytes(root), options);
  if (!own?.isSymbolicLink()) return own;
  options.onRootLink?.(root);
  try {
    return statSync(toBytes(root), { bigint: true });
  } catch {
    // A dangling link is still something: it is kept as the link it is.
    return own;
  }
}

function statItem(path: BytePath, bytes: Buffer, options: WalkOptions): BigIntStats | null {
  try {
    return lstatSync(bytes, { bigint: true });
  } catch (error) {
    report(path, error, options);
    return null;
  }
}

function enterFolder(path: BytePath, open: OpenFolder[], options: WalkOptions): void {
  try {
    const names = readdirSync(toBytes(path), { encoding: 'latin1' });
    names.sort();
    open.push({ path, names, next: 0 });
  } catch (error) {
    report(path, error, options);
  }
}

function report(path: BytePath, error: unknown, options: WalkOptions): void {
  if (isMissing(error)) options.onProblem(path, 'vanished', 'it was gone when its turn came');
  else options.onProblem(path, 'unreadable', reasonOf(error));
}
