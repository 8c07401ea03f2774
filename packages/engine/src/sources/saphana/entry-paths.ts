/** Where what lies in an artifact: a folder per database with the files HANA wrote, and what it says about them. */

export const ROOT = '/saphana';
export const INVENTORY = 'inventory.json';

const encode = (text: string): string => `%${Buffer.from(text).toString('hex').toUpperCase()}`;

/** Name of the folder of a database. */
export function folderNameOf(database: string): string {
  if (database === '.' || database === '..') return encode('.') + database.slice(1);
  return database.replace(/[%/\0]/g, encode);
}

/** The database that a folder is named for. */
export function databaseOfFolder(folder: string): string {
  return folder.replace(/(?:%[0-9A-F]{2})+/g, (codes) =>
    Buffer.from(codes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** The file that a path of an artifact stands for, wherever its leading slash went; null for everything else. */
export function placeOf(path: Uint8Array): { readonly folder: string; readonly file: string } | null {
  const [root, folder, file, ...rest] = Buffer.from(path).toString('utf8').replace(/^\/+/, '').split('/');
  if (`/${root}` !== ROOT || !folder || !file || rest.length > 0) return null;
  return [folder, file].some((part) => part === '.' || part === '..' || part.includes('\0')) ? null : { folder, file };
}
