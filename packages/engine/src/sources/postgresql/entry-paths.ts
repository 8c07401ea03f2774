/**
 * Where what lies in an artifact: `/postgresql/globals.sql` and, per database, a folder with dump and inventory. A dump is
 * a file, or in pg_dump's directory format a folder with the files that pg_dump made, under the names it gave them.
 */
import type { DumpFormat } from './archive-toc.ts';

export const ROOT = '/postgresql';
export const GLOBALS = 'globals.sql';
export const DUMP = 'dump.pgc';
export const DUMP_FOLDER = 'dump';
/** The table of contents of a dump in files; the last of their names in order of bytes. */
export const TOC_FILE = 'toc.dat';
export const INVENTORY = 'inventory.json';

const encode = (text: string): string => `%${Buffer.from(text).toString('hex').toUpperCase()}`;

/** Name of the folder of a database. The name of the file of globals belongs to that file. */
export function folderNameOf(database: string): string {
  if (database === GLOBALS || database === '.' || database === '..')
    return encode(database.charAt(0)) + database.slice(1);
  return database.replace(/[%/\0]/g, encode);
}

/** Where the dump of a database is: a file or a folder. */
export function dumpPath(database: string, format: DumpFormat): string {
  return `${ROOT}/${folderNameOf(database)}/${format === 'custom' ? DUMP : DUMP_FOLDER}`;
}

/** The inverse of `folderNameOf`; a `%` that begins no code stands for itself. */
export function databaseOfFolder(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export interface EntryPlace {
  /** Null for globals. */
  readonly database: string | null;
  readonly item: 'dump' | 'part' | 'inventory' | 'globals';
  /** Name of a file of a dump (`part`); else empty. */
  readonly file: string;
}

const DUMP_FILE = /^(?:toc\.dat|\d+\.dat|blob_\d+\.dat|blobs(?:_\d+)?\.toc)$/;

/** True for the names that pg_dump gives to the files of a dump, and that lead nowhere else. */
export function isDumpFile(name: string): boolean {
  return DUMP_FILE.test(name);
}

/** What a path of an artifact stands for, wherever its leading slash went; null for folders and for what is not ours. */
export function placeOf(path: Uint8Array): EntryPlace | null {
  const parts = Buffer.from(path).toString('utf8').replace(/^\/+/, '').split('/');
  if (`/${parts[0]}` !== ROOT) return null;
  if (parts.length === 2 && parts[1] === GLOBALS) return { database: null, item: 'globals', file: '' };
  const database = databaseOfFolder(parts[1] ?? '');
  const [, , name, file = ''] = parts;
  if (parts.length === 4) return name === DUMP_FOLDER && isDumpFile(file) ? { database, item: 'part', file } : null;
  if (parts.length !== 3) return null;
  if (name === DUMP) return { database, item: 'dump', file };
  return name === INVENTORY ? { database, item: 'inventory', file } : null;
}
