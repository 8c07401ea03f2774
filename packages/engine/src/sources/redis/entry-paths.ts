/** Where things lie in an artifact: one dump holds all databases of a server. */
export const ROOT = '/redis';
export const DUMP_PATH = `${ROOT}/dump.rdb`;
export const INVENTORY_PATH = `${ROOT}/inventory.json`;

/** The path of an entry as text, with its slash. */
export function pathOfEntry(path: Uint8Array): string {
  const text = Buffer.from(path).toString('utf8');
  return text.startsWith('/') ? text : `/${text}`;
}
