import { byBytes } from '../../ports/database-names.ts';
import type { MongodbConnection } from './connection.ts';

/** Of the server itself. Users and roles, which lie in `admin`, are stored apart. */
const SYSTEM = new Set(['admin', 'local', 'config']);
export const isSystemDatabase = (name: string): boolean => SYSTEM.has(name);
/** What proofs make. */
export const OWN_DATABASE = /^backupx_verify_[0-9a-f]{12}_\d+$/;

export interface FoundDatabase {
  readonly name: string;
  readonly sizeBytes: number | null;
}

/** All databases that the user may see, but the server's own. */
export async function listDatabases(connection: MongodbConnection): Promise<FoundDatabase[]> {
  const list = { listDatabases: 1, authorizedDatabases: true };
  const { databases } = await connection.command('admin', list, { doing: 'list databases' });
  const found = databases as { name: string; sizeOnDisk?: number }[];
  return found
    .filter(({ name }) => !SYSTEM.has(name) && !OWN_DATABASE.test(name))
    .map(({ name, sizeOnDisk }) => ({ name, sizeBytes: sizeOnDisk === undefined ? null : Number(sizeOnDisk) }))
    .sort((a, b) => byBytes(a.name, b.name));
}
