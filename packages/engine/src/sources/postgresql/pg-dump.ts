/** Runs pg_dump on one database, in the moment of a snapshot that a session holds. */
import { outputOf, startTool } from '../../ports/processes.ts';
import type { BackupContext } from '../../ports/source.ts';
import { reportWarnings, type WarningStyle } from '../../ports/tool-warnings.ts';
import { dumpPath } from './entry-paths.ts';
import { failureOf } from './failures.ts';
import type { Programs } from './programs.ts';
import type { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';
import { ServerWatch } from './server-watch.ts';
import type { PostgresqlConfig } from './settings.ts';

/** What all databases of a run share. */
export interface DumpParts {
  readonly server: Server;
  readonly programs: Programs;
  readonly config: PostgresqlConfig;
  readonly context: BackupContext;
  readonly modifiedAt: Date;
}

/** What a dump sees. */
export interface DumpMoment {
  readonly database: string;
  /** It holds the snapshot; nobody else uses it meanwhile. */
  readonly session: PsqlSession;
  readonly snapshot: string;
}

const LOCK_LIMIT = '10min';

/** What it prints; ends only when it has ended well, and what it warned of is reported then. Throws DATABASE_*. */
export async function* runDump(
  { server, programs, config, context }: DumpParts,
  { database, session, snapshot, format }: DumpMoment & { format: readonly string[] },
): AsyncGenerator<Uint8Array> {
  const args = [
    ...[...format, '--compress=0', '--no-password', `--lock-wait-timeout=${LOCK_LIMIT}`],
    ...[`--snapshot=${snapshot}`, ...filterArguments(config), `--dbname=${server.conninfo(database)}`],
  ];
  const watch = new ServerWatch(session, context.signal);
  try {
    const tool = startTool(server.command(programs, 'pg_dump', args), watch.signal);
    tool.endInput();
    yield* outputOf(tool, {
      signal: context.signal,
      failure: (end) => watch.failure ?? failureOf(end, server.place('pg_dump', database)),
    });
    const { messages } = await tool.ended;
    reportWarnings(messages, { path: dumpPath(database, config.format), context, style: DUMP_WARNINGS });
  } finally {
    await watch.stop();
  }
}

/** True when only a part of each database is dumped. */
export function isFiltered(config: PostgresqlConfig): boolean {
  const { schemas, excludeSchemas, tables, excludeTables, excludeTableData } = config;
  return [schemas, excludeSchemas, tables, excludeTables, excludeTableData].some((list) => list.length > 0);
}

/** What is chosen and left out, as arguments of pg_dump. */
export function filterArguments(config: PostgresqlConfig): string[] {
  const each = (option: string, values: readonly string[]) => values.map((value) => `--${option}=${value}`);
  const chosen = [...each('schema', config.schemas), ...each('table', config.tables)];
  return [
    ...chosen,
    // A name with a slip in it must not become an empty backup.
    ...(chosen.length > 0 ? ['--strict-names'] : []),
    ...each('exclude-schema', config.excludeSchemas),
    ...each('exclude-table', config.excludeTables),
    ...each('exclude-table-data', config.excludeTableData),
  ];
}

/** How pg_dump and pg_dumpall warn: of nothing but what they read. */
export const DUMP_WARNINGS: WarningStyle = {
  line: /^pg_dump(?:all)?: warning: (.*)/,
  isRemark: () => false,
};
