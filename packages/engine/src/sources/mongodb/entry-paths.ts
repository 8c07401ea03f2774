/** Where things lie in a backup: `/mongodb/<database>/dump.archive`, an inventory beside each, users and roles. */

import { databaseOfFolder, folderOfDatabase } from '../../ports/database-names.ts';

export const ROOT = '/mongodb';
export const DUMP = 'dump.archive';
export const INVENTORY = 'inventory.json';
/** Lies beside the folders of the databases. */
export const USERS = 'users.json';

const RESERVED = [DUMP, INVENTORY, USERS];

/** Name of a database as a name in a folder. */
export const folderName = (database: string): string => folderOfDatabase(database, RESERVED);

/** What an entry is. `database` null: the dump of a whole server. */
export type EntryPlace =
  | { readonly item: 'users' }
  | { readonly item: 'dump' | 'inventory'; readonly database: string | null };

/** Null for a folder, or what is no part of such a backup. */
export function placeOf(path: Uint8Array): EntryPlace | null {
  const [root, first = '', second, ...more] = textOfPath(path).slice(1).split('/');
  if (`/${root}` !== ROOT || more.length > 0) return null;
  const item = itemOf(second ?? first);
  if (second !== undefined) return item ? { item, database: databaseOfFolder(first) } : null;
  if (first === USERS) return { item: 'users' };
  return item ? { item, database: null } : null;
}

const itemOf = (name: string): 'dump' | 'inventory' | null => {
  if (name === DUMP) return 'dump';
  return name === INVENTORY ? 'inventory' : null;
};

/** With a slash before it, whatever kind of store it comes from. */
export function textOfPath(path: Uint8Array): string {
  return Buffer.from(path).toString('utf8').replace(/^\/*/, '/');
}

/** For people. */
export function displayPlace(place: EntryPlace): string {
  return place.item === 'users' ? USERS : (place.database ?? 'the server');
}
