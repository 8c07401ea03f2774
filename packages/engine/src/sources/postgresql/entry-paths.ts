/** Where what lies in an artifact: `/postgresql/globals.sql` and, per database, a folder with dump and inventory. */

export const ROOT = '/postgresql';
export const GLOBALS = 'globals.sql';
export const DUMP = 'dump.pgc';
export const INVENTORY = 'inventory.json';

const encode = (text: string): string => `%${Buffer.from(text).toString('hex').toUpperCase()}`;

/** Name of the folder of a database. The name of the file of globals belongs to that file. */
export function folderNameOf(database: string): string {
  if (database === GLOBALS || database === '.' || database === '..')
    return encode(database.charAt(0)) + database.slice(1);
  return database.replace(/[%/\0]/g, encode);
}

/** The inverse; a `%` that begins no code stands for itself. */
export function databaseOfFolder(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export interface EntryPlace {
  /** Null for globals. */
  readonly database: string | null;
  readonly item: 'dump' | 'inventory' | 'globals';
}

/** What a path of an artifact stands for, wherever its leading slash went; null for folders and for what is not ours. */
export function placeOf(path: Uint8Array): EntryPlace | null {
  const parts = Buffer.from(path).toString('utf8').replace(/^\/+/, '').split('/');
  if (`/${parts[0]}` !== ROOT) return null;
  if (parts.length === 2 && parts[1] === GLOBALS) return { database: null, item: 'globals' };
  if (parts.length !== 3) return null;
  const database = databaseOfFolder(parts[1] ?? '');
  if (parts[2] === DUMP) return { database, item: 'dump' };
  return parts[2] === INVENTORY ? { database, item: 'inventory' } : null;
}
