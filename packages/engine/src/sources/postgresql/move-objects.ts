/** Chosen schemas or tables out of a scratch database into one that exists, in one transaction. */
import { AppError } from '@backupx/contracts/errors';
import { isSuccess, outputOf, startTool } from '../../ports/processes.ts';
import { failureOf } from './failures.ts';
import { programsForServer } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import type { Wanted } from './select-entries.ts';
import type { Server } from './server.ts';
import { objectName } from './server-objects.ts';
import { ServerWatch } from './server-watch.ts';
import type { RestoreOptions } from './settings.ts';
import { quoteLiteral, quoteName } from './sql-text.ts';

export interface Move {
  readonly server: Server;
  /** A session that nobody else uses meanwhile. */
  readonly admin: PsqlSession;
  readonly scratch: string;
  readonly target: string;
  readonly wanted: Wanted;
  readonly options: Pick<RestoreOptions, 'owners' | 'privileges' | 'replaceExisting'>;
  readonly signal: AbortSignal;
}

/** The relations somebody named, as schema and name; a name without a schema is in `public`. */
function tableParts(
  name: string,
  known: readonly { schema: string; name: string }[],
): { schema: string; name: string }[] {
  return known.filter(
    (item) =>
      `${item.schema}.${item.name}` === name ||
      objectName(item.schema, item.name) === name ||
      (item.schema === 'public' && item.name === name),
  );
}

const RELATIONS = `SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`;

/** Throws DATABASE_EXISTS for the first of what is wanted that `target` has already. */
export async function assertNotThere({ server, target, wanted, signal }: Move): Promise<void> {
  const session = await PsqlSession.open(server, target, signal);
  const exists = (name: string) =>
    new AppError('DATABASE_EXISTS', { name: `${name} in database "${target}"`, server: server.label });
  try {
    const known = await session.query<{ schema: string; name: string }>(RELATIONS);
    const table = wanted.tables.find((name) => tableParts(name, known).length > 0);
    if (table !== undefined) throw exists(`Table "${table}"`);
    for (const name of wanted.schemas) {
      const found = await session.query(`SELECT 1 FROM pg_namespace WHERE nspname = ${quoteLiteral(name)}`);
      const isUsed = name !== 'public' || known.some(({ schema }) => schema === 'public');
      if (found.length > 0 && isUsed) throw exists(`Schema "${name}"`);
    }
  } finally {
    await session.close();
  }
}

/** Throws DATABASE_*; then the database is as it was. */
export async function moveObjects(move: Move): Promise<void> {
  const { server, admin, scratch, target, options, signal } = move;
  const programs = programsForServer(server.installed, admin.facts.major, admin.facts.version);
  const choices = [
    ...(options.owners === 'ignore' ? ['--no-owner'] : []),
    ...(options.privileges === 'ignore' ? ['--no-acl'] : []),
  ];
  const filters = await filterArguments(move);
  const dumpArguments = [
    '--format=custom',
    '--compress=0',
    '--no-password',
    ...filters,
    `--dbname=${server.conninfo(scratch)}`,
  ];
  const restoreArguments = [
    ...['--single-transaction', '--exit-on-error', '--no-password', `--dbname=${server.conninfo(target)}`, ...choices],
    ...(options.replaceExisting ? ['--clean', '--if-exists'] : []),
  ];
  const watch = new ServerWatch(admin, signal);
  const dump = startTool(server.command(programs, 'pg_dump', dumpArguments), watch.signal);
  dump.endInput();
  const restore = startTool(server.command(programs, 'pg_restore', restoreArguments), watch.signal);
  const failure = (tool: string, database: string) => (end: Parameters<typeof failureOf>[0]) =>
    watch.failure ?? failureOf(end, server.place(tool, database));
  try {
    for await (const chunk of outputOf(dump, { signal, failure: failure('pg_dump', scratch) })) {
      if (!(await restore.write(chunk))) break;
    }
    restore.endInput();
    const end = await restore.ended;
    if (signal.aborted) throw new AppError('CANCELLED');
    if (!isSuccess(end)) throw failure('pg_restore', target)(end);
  } finally {
    dump.kill();
    restore.kill();
    await Promise.all([dump.ended, restore.ended, watch.stop()]);
  }
}

async function filterArguments({ server, scratch, wanted, signal }: Move): Promise<string[]> {
  const session = await PsqlSession.open(server, scratch, signal);
  try {
    const known = await session.query<{ schema: string; name: string }>(RELATIONS);
    const tables = wanted.tables.flatMap((name) => tableParts(name, known));
    return [
      ...wanted.schemas.map((name) => `--schema=${quoteName(name)}`),
      ...tables.map(({ schema, name }) => `--table=${quoteName(schema)}.${quoteName(name)}`),
    ];
  } finally {
    await session.close();
  }
}
