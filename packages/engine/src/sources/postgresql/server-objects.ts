/** What a database holds by its own catalogs, named as pg_dump names it, so that the two can be compared. */
import type { InventoryObject } from '../../ports/database-inventory.ts';
import type { PsqlSession } from './psql-session.ts';
import { displayName, quoteLiteral, quoteName } from './sql-text.ts';

/** Objects of a kind; `{member:class:oid}` stands for "belongs to no extension". */
const QUERIES: readonly string[] = [
  `SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
     WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind, n.nspname AS schema, c.relname::text AS name
   FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {member:pg_class:c.oid}`,
  `SELECT 'index', n.nspname, c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
   JOIN pg_class t ON t.oid = i.indrelid JOIN spaces n ON n.oid = c.relnamespace
   WHERE (i.indisvalid OR t.relkind = 'p') AND i.indisready AND {member:pg_class:t.oid}
   AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid AND o.contype IN ('p', 'u', 'x'))`,
  `SELECT CASE o.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END, n.nspname, t.relname || ' ' || o.conname
   FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid JOIN spaces n ON n.oid = t.relnamespace
   WHERE (o.contype IN ('p', 'u', 'x') OR (o.contype = 'f' AND {root:o.conparentid})) AND {member:pg_class:t.oid}
   AND t.relkind IN ('r', 'p')`,
  `SELECT 'trigger', n.nspname, t.relname || ' ' || g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
   JOIN spaces n ON n.oid = t.relnamespace WHERE NOT g.tgisinternal AND {parent:g.tgparentid} AND {member:pg_class:t.oid}`,
  `SELECT 'rule', n.nspname, t.relname || ' ' || r.rulename FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
   JOIN spaces n ON n.oid = t.relnamespace WHERE r.rulename <> '_RETURN' AND {member:pg_class:t.oid}`,
  `SELECT 'policy', n.nspname, t.relname || ' ' || p.polname FROM pg_policy p JOIN pg_class t ON t.oid = p.polrelid
   JOIN spaces n ON n.oid = t.relnamespace WHERE {member:pg_class:t.oid}`,
  `SELECT CASE {kind} WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname,
     p.proname || '(' || CASE WHEN {kind} = 'a' AND p.pronargs = 0 THEN '*' ELSE coalesce((SELECT
       string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place)
       FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, place)), '') END || ')'
   FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace WHERE {member:pg_proc:p.oid}
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')`,
  `SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname, t.typname::text
   FROM pg_type t JOIN spaces n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE t.typisdefined AND (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c') OR (t.typtype = 'b'
   AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))) AND {member:pg_type:t.oid}`,
  `SELECT 'schema', '', n.nspname FROM spaces n WHERE n.nspname <> 'public' AND {member:pg_namespace:n.oid}`,
  `SELECT 'extension', '', e.extname::text FROM pg_extension e WHERE e.oid >= 16384`,
  `SELECT 'operator', n.nspname, o.oprname::text FROM pg_operator o JOIN spaces n ON n.oid = o.oprnamespace
   WHERE o.oprcode <> 0 AND {member:pg_operator:o.oid}`,
  `SELECT 'collation', n.nspname, c.collname::text FROM pg_collation c JOIN spaces n ON n.oid = c.collnamespace
   WHERE {member:pg_collation:c.oid}`,
  `SELECT 'text search configuration', n.nspname, c.cfgname::text FROM pg_ts_config c
   JOIN spaces n ON n.oid = c.cfgnamespace WHERE {member:pg_ts_config:c.oid}`,
  `SELECT 'statistics', n.nspname, s.stxname::text FROM pg_statistic_ext s JOIN spaces n ON n.oid = s.stxnamespace
   WHERE {member:pg_statistic_ext:s.oid}`,
  `SELECT 'foreign server', '', s.srvname::text FROM pg_foreign_server s WHERE {member:pg_foreign_server:s.oid}`,
  `SELECT 'event trigger', '', e.evtname::text FROM pg_event_trigger e WHERE {member:pg_event_trigger:e.oid}`,
  `SELECT 'publication', '', p.pubname::text FROM pg_publication p`,
];

/** The same kinds in a table of contents. */
export const KIND_BY_TOC: Readonly<Record<string, string>> = {
  ...{ TABLE: 'table', VIEW: 'view', 'MATERIALIZED VIEW': 'materialized view', SEQUENCE: 'sequence' },
  ...{ 'FOREIGN TABLE': 'foreign table', INDEX: 'index', CONSTRAINT: 'constraint', 'FK CONSTRAINT': 'foreign key' },
  ...{ TRIGGER: 'trigger', RULE: 'rule', POLICY: 'policy', FUNCTION: 'function', PROCEDURE: 'procedure' },
  ...{ AGGREGATE: 'aggregate', TYPE: 'type', DOMAIN: 'domain', SCHEMA: 'schema', EXTENSION: 'extension' },
  ...{ OPERATOR: 'operator', COLLATION: 'collation', 'TEXT SEARCH CONFIGURATION': 'text search configuration' },
  ...{ STATISTICS: 'statistics', SERVER: 'foreign server', 'EVENT TRIGGER': 'event trigger' },
  ...{ PUBLICATION: 'publication' },
};

/** Large objects have numbers, not names; all of them count as one. */
export const LARGE_OBJECTS = { kind: 'large objects', name: 'all' } as const;

const SPACES = `WITH spaces AS (SELECT oid, nspname::text FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')`;
const LIMIT_MS = 300_000;

const SINCE_PARTITIONED_KEYS = 11;
const SINCE_TRIGGER_PARENTS = 13;

function queryFor(major: number): string {
  const isNew = major >= SINCE_PARTITIONED_KEYS;
  return QUERIES.join('\nUNION ALL\n')
    .replace(
      /\{member:(\w+):([\w.]+)\}/g,
      "NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = '$1'::regclass AND m.objid = $2 AND m.deptype = 'e')",
    )
    .replace(/\{root:([\w.]+)\}/g, isNew ? '$1 = 0' : 'true')
    .replace(/\{parent:([\w.]+)\}/g, major >= SINCE_TRIGGER_PARENTS ? '$1 = 0' : 'true')
    .replaceAll('{kind}', isNew ? 'p.prokind' : "CASE WHEN p.proisagg THEN 'a' ELSE 'f' END");
}

/** Everything a dump of the whole database must have, without rows. */
export async function readServerObjects(session: PsqlSession): Promise<InventoryObject[]> {
  const query = `${SPACES} ${queryFor(session.facts.major)}`;
  const rows = await session.query<{ kind: string; schema: string; name: string }>(query, LIMIT_MS);
  const objects: InventoryObject[] = rows.map(({ kind, schema, name }) => ({ kind, name: objectName(schema, name) }));
  const [large] = await session.query<{ count: number }>('SELECT count(*) FROM pg_largeobject_metadata', LIMIT_MS);
  return large && large.count > 0 ? [...objects, { ...LARGE_OBJECTS, rows: large.count }] : objects;
}

/** Ordinary tables, whose rows pg_dump saves even when there are none. On a standby nobody can read those that are not logged. */
export async function listTablesWithRows(session: PsqlSession): Promise<string[]> {
  const rows = await session.query<{ schema: string; name: string }>(
    `${SPACES} SELECT n.nspname AS schema, c.relname::text AS name FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND NOT EXISTS (SELECT FROM pg_depend m
     WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.deptype = 'e') ORDER BY 1, 2`,
    LIMIT_MS,
  );
  return rows.map(({ schema, name }) => objectName(schema, name));
}

/** One name for an object, with its schema when it is in one. */
export function objectName(schema: string, name: string): string {
  return schema === '' ? displayName(name) : displayName(schema, name);
}

export interface CountLimits {
  /** Larger tables are left out; null: none is. */
  readonly maxTableBytes: number | null;
  /** After so long no further table is counted. */
  readonly budgetMs: number;
}

const TABLES_AT_ONCE = 50;

/** Rows of the ordinary tables the session may read, by name; those that cost too much are left out. */
export async function countRows(session: PsqlSession, limits: CountLimits): Promise<Map<string, number>> {
  const size = limits.maxTableBytes === null ? '' : `AND pg_relation_size(c.oid) <= ${limits.maxTableBytes}`;
  const tables = await session.query<{ schema: string; name: string }>(
    `${SPACES} SELECT n.nspname AS schema, c.relname::text AS name FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') ${size}
     ORDER BY pg_relation_size(c.oid)`,
    LIMIT_MS,
  );
  const rows = new Map<string, number>();
  const deadline = AbortSignal.timeout(limits.budgetMs);
  for (let at = 0; at < tables.length && !deadline.aborted; at += TABLES_AT_ONCE) {
    const counts = tables.slice(at, at + TABLES_AT_ONCE).map(({ schema, name }) => {
      const label = quoteLiteral(objectName(schema, name));
      return `SELECT ${label} AS name, count(*) AS count FROM ONLY ${quoteName(schema)}.${quoteName(name)}`;
    });
    const timeoutMs = limits.maxTableBytes === null ? limits.budgetMs : LIMIT_MS;
    const answer = await session.query<{ name: string; count: number }>(counts.join(' UNION ALL '), timeoutMs);
    for (const { name, count } of answer) rows.set(name, count);
  }
  return rows;
}
