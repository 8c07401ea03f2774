/** What a dump needs of the server it is to be restored into, looked at before anything is made there. */
import { AppError } from '@backupx/contracts/errors';
import type { Toc } from './archive-toc.ts';
import type { PsqlSession } from './psql-session.ts';
import type { RestoreOptions } from './settings.ts';
import {
  displayName,
  granteesOf,
  meaningfulTokens,
  nameOfToken,
  quoteLiteral,
  quoteName,
  renameDatabaseIn,
  splitStatements,
} from './sql-text.ts';

/** A major version at the start of `15.18 (Debian …)`. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10) || 0;
}

type Choices = Pick<RestoreOptions, 'owners' | 'privileges'>;

/** Roles that own something in the dump or are granted something. `ids`: only these entries count. */
export function rolesOf(toc: Toc, choices: Choices, ids: ReadonlySet<number> | null): string[] {
  const entries = toc.entries.filter(({ dumpId }) => ids === null || ids.has(dumpId));
  const owners = choices.owners === 'keep' ? entries.map(({ owner }) => owner) : [];
  const grants = entries.filter(({ kind }) => /ACL$|^POLICY$/.test(kind));
  const grantees = choices.privileges === 'keep' ? grants.flatMap(({ definition }) => granteesOf(definition)) : [];
  return [...new Set([...owners, ...grantees])].filter((name) => name !== '').sort();
}

/**
 * Without privileges a restore can do without roles, but a policy cannot: those that name an absent one are left out.
 * Answers the ids to restore (null: all) and the names of what is left out. Its table then shows nothing to anybody.
 */
export async function leaveOutPolicies(
  session: PsqlSession,
  toc: Toc,
  ids: ReadonlySet<number> | null,
): Promise<{ ids: ReadonlySet<number> | null; leftOut: string[] }> {
  const policies = toc.entries.filter(({ kind, dumpId }) => kind === 'POLICY' && (ids === null || ids.has(dumpId)));
  const roles = [...new Set(policies.flatMap(({ definition }) => granteesOf(definition)))];
  const absentNames = await absentRoles(session, roles);
  const homeless = policies.filter(({ definition }) =>
    granteesOf(definition).some((name) => absentNames.includes(name)),
  );
  if (homeless.length === 0) return { ids, leftOut: [] };
  const kept = new Set(ids ?? toc.entries.map(({ dumpId }) => dumpId));
  for (const { dumpId } of homeless) kept.delete(dumpId);
  return { ids: kept, leftOut: homeless.map(({ namespace, tag }) => `policy ${displayName(namespace, tag)}`) };
}

/** Roles with settings of their own in the database: `ALTER ROLE x IN DATABASE …`. */
export function rolesWithSettings(toc: Toc): string[] {
  const properties = toc.entries.filter(({ kind }) => kind === 'DATABASE PROPERTIES');
  const statements = properties.flatMap(({ definition }) => splitStatements(definition));
  return statements.flatMap((statement) => {
    const tokens = meaningfulTokens(statement);
    const name = nameOfToken(tokens[2]);
    return /^ALTER ROLE\b/i.test(statement) && name !== null ? [name] : [];
  });
}

async function absent(session: PsqlSession, names: readonly string[], known: string): Promise<string[]> {
  if (names.length === 0) return [];
  const values = names.map((name) => `(${quoteLiteral(name)})`).join(', ');
  const query = `SELECT name FROM (VALUES ${values}) AS wanted(name) WHERE name NOT IN (${known}) ORDER BY name`;
  return (await session.query<{ name: string }>(query)).map(({ name }) => name);
}

export async function absentRoles(session: PsqlSession, roles: readonly string[]): Promise<string[]> {
  return await absent(session, roles, 'SELECT rolname::text FROM pg_roles');
}

/** Throws DATABASE_NOT_FOUND with all extensions that the server cannot create. `ids`: only these entries count. */
export async function assertExtensions(
  session: PsqlSession,
  toc: Toc,
  { label, ids }: { label: string; ids: ReadonlySet<number> | null },
): Promise<void> {
  const extensions = toc.entries.filter(
    ({ kind, dumpId }) => kind === 'EXTENSION' && (ids === null || ids.has(dumpId)),
  );
  const names = extensions.map(({ tag }) => tag);
  const missing = await absent(session, names, 'SELECT name::text FROM pg_available_extensions');
  if (missing.length === 0) return;
  const list = missing.map((name) => `"${name}"`).join(', ');
  throw new AppError('DATABASE_NOT_FOUND', {
    name: `extension ${list} (which the dump of "${toc.database}" needs)`,
    server: label,
  });
}

/** True when the dump uses tablespaces the server has not. */
export async function lacksTablespaces(session: PsqlSession, toc: Toc): Promise<boolean> {
  const own = /\bTABLESPACE = ("(?:[^"]|"")*"|\w+)/.exec(databaseEntry(toc)?.definition ?? '')?.[1];
  const names = [...toc.entries.map(({ tablespace }) => tablespace), nameOfToken(own) ?? ''].filter(Boolean);
  return (await absent(session, [...new Set(names)], 'SELECT spcname::text FROM pg_tablespace')).length > 0;
}

function databaseEntry(toc: Toc) {
  return toc.entries.find(({ kind }) => kind === 'DATABASE');
}

const SINCE_PROVIDERS = 15;

/** The statement that makes an empty database with encoding and collation of the one that was dumped. */
export function createStatement(toc: Toc, name: string, place: { major: number; withoutTablespaces: boolean }): string {
  const definition = splitStatements(databaseEntry(toc)?.definition ?? '')[0];
  if (definition === undefined) return renameDatabaseIn('CREATE DATABASE x TEMPLATE = template0', name);
  let statement = renameDatabaseIn(definition, name);
  if (place.withoutTablespaces) statement = statement.replace(/ TABLESPACE = ("(?:[^"]|"")*"|\w+)/, '');
  if (place.major < SINCE_PROVIDERS) statement = statement.replace(/ LOCALE_PROVIDER = libc\b/, '');
  return statement;
}

/** Statements that give a restored database its owner, privileges, comment and settings. */
export function propertyStatements(toc: Toc, name: string, choices: Choices, absentNames: readonly string[]): string[] {
  const owner = databaseEntry(toc)?.owner ?? '';
  const own = toc.entries.filter(
    ({ kind, tag }) =>
      kind === 'DATABASE PROPERTIES' ||
      (kind === 'COMMENT' && tag.startsWith('DATABASE ')) ||
      (kind === 'ACL' && tag.startsWith('DATABASE ') && choices.privileges === 'keep'),
  );
  const statements = own.flatMap(({ definition }) => splitStatements(definition));
  const ownership = choices.owners === 'keep' && owner !== '' ? [`ALTER DATABASE x OWNER TO ${quoteName(owner)}`] : [];
  // Settings of one role in this database, and that role is not here.
  const isPossible = (statement: string) =>
    !/^ALTER ROLE\b/i.test(statement) || !absentNames.includes(nameOfToken(meaningfulTokens(statement)[2]) ?? '');
  return [...statements.filter(isPossible), ...ownership].map((statement) => renameDatabaseIn(statement, name));
}

export interface OtherSession {
  readonly pid: number;
  readonly user: string | null;
  readonly program: string | null;
  readonly address: string | null;
  /** When it connected, RFC 3339; null: the user may not know. */
  readonly since: string | null;
}

/** Who else is connected to a database. */
export async function sessionsOf(session: PsqlSession, database: string): Promise<OtherSession[]> {
  return await session.query<OtherSession>(
    `SELECT pid, usename::text AS user, application_name AS program, host(client_addr) AS address,
     to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since FROM pg_stat_activity
     WHERE datname = ${quoteLiteral(database)} AND pid <> pg_backend_pid() AND coalesce(backend_type, '') NOT LIKE 'autovacuum%'
     ORDER BY pid`,
  );
}

export function describeSessions(sessions: readonly OtherSession[]): string {
  return sessions
    .map(
      ({ pid, user, program, address, since }) =>
        `${user ?? '?'} at ${address ?? 'this machine'} (${program || 'pid'} ${pid}${since ? `, since ${since}` : ''})`,
    )
    .join(', ');
}
