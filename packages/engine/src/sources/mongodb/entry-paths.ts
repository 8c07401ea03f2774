/** Where things lie in a backup: `/mongodb/<database>/dump.archive`, an inventory beside each, users and roles. */

export const ROOT = '/mongodb';
export const DUMP = 'dump.archive';
export const INVENTORY = 'inventory.json';
/** Lies beside the folders of the databases. */
export const USERS = 'users.json';

const RESERVED = new Set(['.', '..', DUMP, INVENTORY, USERS]);

/** Name of a database as a name in a folder. */
export function folderName(database: string): string {
  if (RESERVED.has(database)) return database.replaceAll('.', '%2E');
  return database.replace(/[/%\0]/g, (character) => encodeURIComponent(character));
}

/** The way back. */
function databaseName(folder: string): string {
  return folder.replace(/%(2F|25|00|2E)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** What an entry is. `database` null: the dump of a whole server. */
export type EntryPlace =
  | { readonly item: 'users' }
  | { readonly item: 'dump' | 'inventory'; readonly database: string | null };

/** Null for a folder, or what is no part of such a backup. */
export function placeOf(path: Uint8Array): EntryPlace | null {
  const [root, first = '', second, ...more] = textOfPath(path).slice(1).split('/');
  if (`/${root}` !== ROOT || more.length > 0) return null;
  const item = itemOf(second ?? first);
  if (second !== undefined) return item ? { item, database: databaseName(first) } : null;
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

/** Order of names in a folder, as archives and repositories have them: by bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

/** For people. */
export function displayPlace(place: EntryPlace): string {
  return place.item === 'users' ? USERS : (place.database ?? 'the server');
}
