/**
 * Where an item goes back to.
 *
 * To its original place: the path it had, which must lie below a path of the task. To another folder: below that
 * folder under its path relative to the parent of its root, so `/srv/www/a` of the root `/srv/www` becomes
 * `<folder>/www/a`. When two roots end in the same name, everything keeps its full path below the folder, and so does
 * what belongs to no root (the task was edited since).
 */
import { type BytePath, isWithin, lastName, parentPath } from './byte-paths.ts';
import { outermostRoots } from './source-roots.ts';

export interface Place {
  /** Index into `bases`. */
  readonly base: number;
  /** Names below the base. */
  readonly names: readonly BytePath[];
}

export interface PlaceMap {
  /** Folders everything is restored below. */
  readonly bases: readonly BytePath[];
  /** Per base: true when the first name below it was named by the user and may be a symbolic link to a folder. */
  readonly mayFollowFirst: readonly boolean[];
  /** Null when the item belongs to none of the allowed places. */
  find(path: BytePath): Place | null;
}

const splitNames = (path: BytePath): BytePath[] => path.split('/').filter((name) => name !== '');

/** Absolute, no empty, `.` or `..` parts, no zero byte. */
export function isPlainPath(path: BytePath): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || path.includes('\0')) return false;
  return path
    .slice(1)
    .split('/')
    .every((name) => name !== '' && name !== '.' && name !== '..');
}

/** `targetPath` null: the original places. */
export function createPlaceMap(sourcePaths: readonly string[], targetPath: BytePath | null): PlaceMap {
  const roots = outermostRoots(sourcePaths);
  return targetPath === null ? originalPlaces(roots) : placesBelow(targetPath, roots);
}

function originalPlaces(roots: readonly BytePath[]): PlaceMap {
  const bases = roots.map(parentPath);
  return {
    bases,
    mayFollowFirst: roots.map((root) => root !== '/'),
    find(path) {
      const index = roots.findIndex((root) => isWithin(path, root));
      if (index >= 0) return { base: index, names: splitNames(path.slice(bases[index]?.length ?? 0)) };
      // Artifacts of other writers hold names relative to the parent of their root.
      const names = splitNames(path);
      const byName = roots.filter((root) => lastName(root) === names[0]);
      return byName.length === 1 && byName[0] !== undefined ? { base: roots.indexOf(byName[0]), names } : null;
    },
  };
}

function placesBelow(target: BytePath, roots: readonly BytePath[]): PlaceMap {
  const isAmbiguous = new Set(roots.map(lastName)).size < roots.length;
  return {
    bases: [target],
    mayFollowFirst: [false],
    find(path) {
      const root = isAmbiguous ? undefined : roots.find((item) => isWithin(path, item));
      return { base: 0, names: splitNames(root === undefined ? path : path.slice(parentPath(root).length)) };
    },
  };
}
