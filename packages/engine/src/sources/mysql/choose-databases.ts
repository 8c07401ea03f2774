import type { MysqlConnection } from './connection.ts';
import { byBytes } from './sql-text.ts';

const SYSTEM = new Set(['information_schema', 'performance_schema', 'mysql', 'sys']);
/** What a restore makes beside the databases it is about. */
export const OWN_NAME = /^backupx_(restore|old)_([0-9a-f]{12})(_\d+)?$/;

export interface DatabaseChoice {
  /** In the order of an archive. */
  readonly names: string[];
  /** Asked for by name and not there. */
  readonly missing: string[];
}

/** All databases of the server but its own and those of restores. */
export async function listDatabases(connection: MysqlConnection): Promise<string[]> {
  const rows = await connection.query('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA');
  const names = rows.map(([name = '']) => name);
  // `#mysql50#…` are folders among the data that are no databases.
  return names
    .filter((name) => !SYSTEM.has(name) && !OWN_NAME.test(name) && !name.startsWith('#mysql50#'))
    .sort(byBytes);
}

/** Those that are to be dumped. */
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
