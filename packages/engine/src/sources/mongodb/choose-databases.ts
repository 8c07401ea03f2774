import type { MongodbConnection } from './connection.ts';
import { byBytes } from './entry-paths.ts';

/** Of the server itself. Users and roles, which lie in `admin`, are stored apart. */
const SYSTEM = new Set(['admin', 'local', 'config']);
export const isSystemDatabase = (name: string): boolean => SYSTEM.has(name);
/** What proofs make. */
export const OWN_DATABASE = /^backupx_verify_[0-9a-f]{12}_\d+$/;

export interface FoundDatabase {
  readonly name: string;
  readonly sizeBytes: number | null;
}

export interface DatabaseChoice {
  /** In the order of an archive. */
  readonly names: string[];
  /** Asked for by name and not there. */
  readonly missing: string[];
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

/** Those that are to be dumped. A database of the server itself must be asked for by name. */
export function chooseDatabases(
  all: readonly string[],
  { databases, excludeDatabases }: { databases: readonly string[]; excludeDatabases: readonly string[] },
): DatabaseChoice {
  const there = new Set(all);
  const wanted = databases.length === 0 ? all : [...new Set(databases)];
  const patterns = excludeDatabases.map(patternOf);
  const names = wanted.filter((name) => there.has(name) && !patterns.some((pattern) => pattern.test(name)));
  return { names: [...names].sort(byBytes), missing: wanted.filter((name) => !there.has(name)) };
}

function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
