/** Which databases of a server a task is about. */
import type { PsqlSession } from './psql-session.ts';
import { matchesAny, type PostgresqlConfig } from './settings.ts';

/** One database as the list of the server has it. */
export interface DatabaseRow {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** Null: may not be known. */
  readonly sizeBytes: number | null;
  readonly mayConnect: boolean;
  readonly isTemplate: boolean;
  /** False: the server lets nobody in. */
  readonly isOpen: boolean;
}

/** Scratch databases of restores, and what they replaced; see `scratch-name.ts`. */
const OURS = /^backupx_(restore|old)_/;

const LIST = `SELECT d.datname::text AS name, pg_get_userbyid(d.datdba)::text AS owner,
  pg_encoding_to_char(d.encoding) AS encoding, d.datcollate::text AS collate, d.datctype::text AS ctype,
  has_database_privilege(d.oid, 'CONNECT') AS "mayConnect", d.datistemplate AS "isTemplate",
  d.datallowconn AND d.datconnlimit <> -2 AS "isOpen",
  CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END AS "sizeBytes"
  FROM pg_database d ORDER BY d.datname`;
const LIMIT_MS = 120_000;

export async function listDatabases(session: PsqlSession): Promise<DatabaseRow[]> {
  return await session.query<DatabaseRow>(LIST, LIMIT_MS);
}

/** Those to back up, and the names that were asked for and are not there. Templates only when they are named. */
export function chooseDatabases(
  all: readonly DatabaseRow[],
  { databases, excludeDatabases }: Pick<PostgresqlConfig, 'databases' | 'excludeDatabases'>,
): { chosen: DatabaseRow[]; missing: string[] } {
  if (databases.length === 0) {
    const isWanted = (item: DatabaseRow) =>
      item.isOpen && !item.isTemplate && !OURS.test(item.name) && !matchesAny(item.name, excludeDatabases);
    return { chosen: all.filter(isWanted), missing: [] };
  }
  const wanted = [...new Set(databases)].filter((name) => !matchesAny(name, excludeDatabases));
  const known = new Map(all.map((item) => [item.name, item]));
  return {
    chosen: wanted.flatMap((name) => known.get(name) ?? []),
    missing: wanted.filter((name) => !known.has(name)),
  };
}
