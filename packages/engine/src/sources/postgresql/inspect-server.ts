/** Looks at a server with the programs and the login of a backup: what is there, and what a backup would miss. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { isSuccess, runTool } from '../../ports/processes.ts';
import type { InspectContext, SourceInspection } from '../../ports/source.ts';
import { chooseDatabases, type DatabaseRow, listDatabases } from './database-list.ts';
import { encryptionWarning } from './encryption-warning.ts';
import { failureOf } from './failures.ts';
import { filterArguments } from './pg-dump.ts';
import { type Programs, programsForServer } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import { Server } from './server.ts';
import type { PostgresqlConfig } from './settings.ts';
import { displayName, quoteLiteral, quoteName } from './sql-text.ts';
import { lookForSpace } from './staging-space.ts';

const TRIAL_LIMIT_MS = 30_000;
/** So many databases are looked into; the answer must come within seconds. */
const MAX_LOOKED_INTO = 30;
const MAX_NAMED = 5;
const SINCE_READ_ALL_DATA = 14;

/** Throws DATABASE_*. */
export async function inspectServer(config: PostgresqlConfig, context: InspectContext): Promise<SourceInspection> {
  const server = await Server.open(config, context.tempDir, context.signal);
  try {
    const session = await PsqlSession.open(server, config.maintenanceDatabase, context.signal);
    try {
      return await inspect(server, config, session, context.signal);
    } finally {
      await session.close();
    }
  } finally {
    server.close();
  }
}

async function inspect(
  server: Server,
  config: PostgresqlConfig,
  session: PsqlSession,
  signal: AbortSignal,
): Promise<SourceInspection> {
  const { version, major } = session.facts;
  const programs = programsForServer(server.installed, major, version);
  const all = await listDatabases(session);
  const { chosen, missing } = chooseDatabases(all, config);
  const open = chosen.filter(({ mayConnect, isOpen }) => mayConnect && isOpen);
  await tryDumps({ server, programs, config, signal }, open);
  const warnings = [
    encryptionWarning(server, session),
    await passwordWarning(session, config),
    await spaceWarning(server, config, open),
    ...missing.map((name) => `There is no database "${name}".`),
    ...chosen
      .filter((item) => !open.includes(item))
      .map(({ name }) => `"${config.dbUser}" may not connect to "${name}".`),
    ...(await Promise.all(open.slice(0, MAX_LOOKED_INTO).map(({ name }) => lookInto(server, name, signal)))).flat(),
  ];
  return {
    server: `PostgreSQL ${version}`,
    tool: `pg_dump ${programs.version} (${programs.folder})`,
    databases: all.filter(({ isTemplate }) => !isTemplate).map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    warnings: warnings.filter((text) => text !== null),
    readOnlyUserSql: readOnlyUserSql(chosen, major),
  };
}

interface Trial {
  readonly server: Server;
  readonly programs: Programs;
  readonly config: PostgresqlConfig;
  readonly signal: AbortSignal;
}

/** One database tells whether the program works; all of them, whether each has what was chosen. */
async function tryDumps(trial: Trial, databases: readonly DatabaseRow[]): Promise<void> {
  const { schemas, tables } = trial.config;
  const isChosen = schemas.length + tables.length > 0;
  const endsAt = systemClock.now().getTime() + TRIAL_LIMIT_MS;
  for (const { name } of databases.slice(0, isChosen ? MAX_LOOKED_INTO : 1)) {
    const timeoutMs = endsAt - systemClock.now().getTime();
    if (timeoutMs <= 0) return;
    await tryDump(trial, name, timeoutMs);
  }
}

/**
 * The program itself, with everything of a dump but the rows: what fails here would fail at night. Missing rights are
 * told one by one, with the statements that give them.
 */
async function tryDump(
  { server, programs, config, signal }: Trial,
  database: string,
  timeoutMs: number,
): Promise<void> {
  const args = ['--format=custom', '--compress=0', '--no-password', '--schema-only', ...filterArguments(config)];
  const target = [`--dbname=${server.conninfo(database)}`, '--no-sync', '--file=/dev/null'];
  const command = server.command(programs, 'pg_dump', [...args, ...target]);
  try {
    const said = await runTool(command, { signal, timeoutMs });
    if (!isSuccess(said)) throw failureOf(said, server.place('pg_dump', database));
  } catch (error) {
    // A timeout: a database of very many tables. It has begun, which is what was asked.
    if (!(error instanceof AppError) || !['TIMEOUT', 'DATABASE_PERMISSION'].includes(error.code)) throw error;
  }
}

async function passwordWarning(session: PsqlSession, config: PostgresqlConfig): Promise<string | null> {
  if (!config.includeGlobals) return null;
  const query = "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may";
  const [row] = await session.query<{ may: boolean }>(query);
  return row?.may
    ? null
    : `"${config.dbUser}" may not read the passwords of roles; they will be missing from globals.sql.`;
}

/** A dump in the directory format passes through the folder for temporary files, one database after the other. */
async function spaceWarning(
  server: Server,
  { format }: PostgresqlConfig,
  databases: readonly DatabaseRow[],
): Promise<string | null> {
  if (format !== 'directory') return null;
  const largest = databases.toSorted((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0))[0];
  if (!largest) return null;
  const what = `The dump of "${largest.name}"`;
  return await lookForSpace(server.secrets.path, { what, leastBytes: 0, wantedBytes: largest.sizeBytes ?? 0 });
}

const UNREADABLE = `SELECT n.nspname::text AS schema, c.relname::text AS name, CASE WHEN c.relkind <> 'S' AND c.relrowsecurity
  AND row_security_active(c.oid) THEN 'hidden' ELSE 'closed' END AS why
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_schema_privilege(n.oid, 'USAGE')
    OR (c.relkind <> 'S' AND c.relrowsecurity AND row_security_active(c.oid)))
  ORDER BY 1, 2`;

async function lookInto(server: Server, database: string, signal: AbortSignal): Promise<string[]> {
  let session: PsqlSession | null = null;
  try {
    session = await PsqlSession.open(server, database, signal);
    const rows = await session.query<{ schema: string; name: string; why: string }>(UNREADABLE);
    const warnings = ['closed', 'hidden'].flatMap((why) => {
      const names = rows.filter((row) => row.why === why).map(({ schema, name }) => displayName(schema, name));
      return names.length === 0 ? [] : [describe(why, names, database)];
    });
    const isPlain = !session.facts.isSuperuser;
    const [large] = isPlain
      ? await session.query<{ n: number }>('SELECT count(*) AS n FROM pg_largeobject_metadata')
      : [];
    const hasLarge = (large?.n ?? 0) > 0;
    return hasLarge
      ? [
          ...warnings,
          `"${database}" has ${large?.n} large objects; only their owner, whom they were granted to, or a superuser can read them.`,
        ]
      : warnings;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'CANCELLED') throw error;
    return [error.message];
  } finally {
    await session?.close();
  }
}

function describe(why: string, names: readonly string[], database: string): string {
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  const list = names.slice(0, MAX_NAMED).join(', ') + more;
  return why === 'closed'
    ? `No right to read in "${database}": ${list}. A backup of it would fail.`
    : `Row-level security hides rows in "${database}" from this user: ${list}. A backup of it would fail.`;
}

/** Statements to copy; a role that reads everything and changes nothing. */
function readOnlyUserSql(databases: readonly DatabaseRow[], major: number): string {
  const role = 'backupx';
  const lines = [
    `CREATE ROLE ${role} LOGIN PASSWORD ${quoteLiteral('choose a long password')};`,
    ...databases.map(({ name }) => `GRANT CONNECT ON DATABASE ${quoteName(name)} TO ${role};`),
    ...(major >= SINCE_READ_ALL_DATA
      ? [`GRANT pg_read_all_data TO ${role};`]
      : [
          '-- In every database and for every schema:',
          `GRANT USAGE ON SCHEMA public TO ${role};`,
          `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role};`,
          `GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role};`,
          '-- Only when the passwords of roles are to be saved:',
          `GRANT SELECT ON pg_catalog.pg_authid TO ${role};`,
        ]),
    '-- Only where tables have row-level security:',
    `ALTER ROLE ${role} BYPASSRLS;`,
  ];
  return `${lines.join('\n')}\n`;
}
