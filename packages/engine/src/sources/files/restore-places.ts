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
  /** Names of the folders below the base. */
  readonly folder: readonly BytePath[];
  /** Name in that folder; empty: the base itself. */
  readonly name: BytePath;
}

/** The place of a folder, as names below a base. */
export interface FolderPlace {
  readonly base: number;
  readonly names: readonly BytePath[];
}

export interface PlaceMap {
  /** Folders everything is restored below. */
  readonly bases: readonly BytePath[];
  /** Per base: true when the first name below it was named by the user and may be a symbolic link to a folder. */
  readonly mayFollowFirst: readonly boolean[];
  /** Null when the item belongs to none of the allowed places. */
  find(path: BytePath): Place | null;
  /** The folder that everything directly in `folder` goes into; null when that is not one and the same. */
  findFolder(folder: BytePath): FolderPlace | null;
}

/** Names below the base, the last one included. */
export function namesOf({ folder, name }: Place): BytePath[] {
  return name === '' ? [...folder] : [...folder, name];
}

function placeAt(base: number, names: readonly BytePath[]): Place {
  return { base, folder: names.slice(0, -1), name: names.at(-1) ?? '' };
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

/** The same for one name. */
export function isPlainName(name: BytePath): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
}

/** `targetPath` null: the original places. */
export function createPlaceMap(sourcePaths: readonly string[], targetPath: BytePath | null): PlaceMap {
  const roots = outermostRoots(sourcePaths);
  const places = targetPath === null ? originalPlaces(roots) : placesBelow(targetPath, roots);
  return {
    ...places,
    findFolder(folder) {
      const hasRootBelow = roots.some((root) => root !== folder && isWithin(root, folder));
      const place = hasRootBelow ? null : places.find(folder);
      return place && { base: place.base, names: namesOf(place) };
    },
  };
}

function originalPlaces(roots: readonly BytePath[]): Omit<PlaceMap, 'findFolder'> {
  const bases = roots.map(parentPath);
  return {
    bases,
    mayFollowFirst: roots.map((root) => root !== '/'),
    find(path) {
      const index = roots.findIndex((root) => isWithin(path, root));
      if (index >= 0) return placeAt(index, splitNames(path.slice(bases[index]?.length ?? 0)));
      // Artifacts of other writers hold names relative to the parent of their root.
      const names = splitNames(path);
      const byName = roots.filter((root) => lastName(root) === names[0]);
      return byName.length === 1 && byName[0] !== undefined ? placeAt(roots.indexOf(byName[0]), names) : null;
    },
  };
}

function placesBelow(target: BytePath, roots: readonly BytePath[]): Omit<PlaceMap, 'findFolder'> {
  const isAmbiguous = new Set(roots.map(lastName)).size < roots.length;
  return {
    bases: [target],
    mayFollowFirst: [false],
    find(path) {
      const root = isAmbiguous ? undefined : roots.find((item) => isWithin(path, item));
      return placeAt(0, splitNames(root === undefined ? path : path.slice(parentPath(root).length)));
    },
  };
}
