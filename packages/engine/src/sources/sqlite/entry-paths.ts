/** Where a database lies in an artifact: under its absolute path in the folder `/sqlite`, its inventory beside it. */
import { isUtf8 } from 'node:buffer';

export const ROOT = '/sqlite';
const INVENTORY_SUFFIX = '.inventory.json';

export const entryPathOf = (path: string): string => `${ROOT}${path}`;
export const inventoryPathOf = (path: string): string => `${path}${INVENTORY_SUFFIX}`;

/** The database whose inventory this would be, or null. */
export function databaseOfInventory(path: string): string | null {
  return path.endsWith(INVENTORY_SUFFIX) ? path.slice(0, -INVENTORY_SUFFIX.length) : null;
}

/** Its entry could not be told from the inventory of another. */
export const NAMED_AS_INVENTORY = 'a database whose name ends in .inventory.json is not supported';

/** The original path of an entry; `''` for the root itself, null for what is no plain path below it. */
export function originalPathOf(entryPath: Uint8Array): string | null {
  if (!isUtf8(entryPath)) return null;
  const text = Buffer.from(entryPath).toString('utf8');
  const path = text.startsWith('/') ? text : `/${text}`;
  if (path === ROOT) return '';
  if (!path.startsWith(`${ROOT}/`) || path.includes('\0')) return null;
  const names = path.slice(ROOT.length + 1).split('/');
  return names.some((name) => name === '' || name === '.' || name === '..') ? null : `/${names.join('/')}`;
}

/** The folders above a path, outermost first, without the root of the file system. */
export function foldersAbove(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_name, index) => `/${names.slice(0, index + 1).join('/')}`);
}

/** Sorts as archives and trees want it: a folder, what is in it, then what follows the folder. */
export function inTreeOrder(paths: Iterable<string>): string[] {
  const keyOf = (path: string) => Buffer.from(path.replaceAll('/', '\0'), 'utf8').toString('latin1');
  const keyed = [...paths].map((path) => ({ path, key: keyOf(path) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ path }) => path);
}
