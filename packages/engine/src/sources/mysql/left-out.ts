/**
 * What a dump cannot have: views that cannot be opened, since a table, a column or a function of theirs is gone, and
 * tables whose files are not named as the server names files. The programs that dump end at the first of them, with all
 * that comes behind it undone, or write what no server takes; so they are looked for before.
 */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { LeftOutObject } from '../../ports/database-inventory.ts';
import type { MysqlConnection } from './connection.ts';
import { kindOfTable } from './read-inventory.ts';
import { quoteName, quoteText, UNENCODED } from './sql-text.ts';

type Server = Pick<MysqlConnection, 'query'>;

/** The server opens every view of a database for that. */
const OPEN_TIMEOUT_MS = 10 * 60 * 1000;
/** Statements for one call of the client. */
const ASKED_AT_ONCE = 500;

/** Somebody waits for the answer of a connection test. */
const TEST_MS = 8_000;

/** Of those among them that have any, with reasons; as many as can be asked in a short time. Throws DATABASE_*. */
export async function findLeftOut(
  connection: Server,
  databases: readonly string[],
): Promise<{ readonly found: Map<string, LeftOutObject[]>; readonly unasked: number }> {
  const rows = await connection.query(
    `SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES
     WHERE TABLE_TYPE = 'VIEW' OR LEFT(TABLE_NAME, ${UNENCODED.length}) = ${quoteText(UNENCODED)}`,
  );
  const mayLack = new Set(rows.map(([name = '']) => name));
  const asked = databases.filter((name) => mayLack.has(name));
  const found = new Map<string, LeftOutObject[]>();
  const until = systemClock.monotonicMs() + TEST_MS;
  for (const [index, database] of asked.entries()) {
    const timeoutMs = Math.floor(until - systemClock.monotonicMs());
    if (timeoutMs <= 0) return { found, unasked: asked.length - index };
    try {
      const leftOut = await leftOutOf(connection, database, timeoutMs);
      if (leftOut.length > 0) found.set(database, leftOut);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'TIMEOUT') throw error;
      return { found, unasked: asked.length - index };
    }
  }
  return { found, unasked: 0 };
}

/** See above, of one database. */
export async function leftOutOf(
  connection: Server,
  database: string,
  timeoutMs = OPEN_TIMEOUT_MS,
): Promise<LeftOutObject[]> {
  const rows = await connection.query(
    `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(database)}`,
  );
  const tables = rows.map(([name = '', type = '']) => ({ name, kind: kindOfTable(type) }));
  const leftOut: LeftOutObject[] = tables.filter(isUnencoded).map((table) => ({ ...table, reason: UNENCODED_REASON }));
  const views = tables.filter((table) => table.kind === 'view' && !isUnencoded(table)).map(({ name }) => name);
  for (const name of await brokenOf({ connection, database, timeoutMs }, views)) {
    // What was only in the way of the first question (a lock, a file too many, a KILL QUERY) makes no view a broken one.
    if ((await firstFailure({ connection, database, timeoutMs }, [name]))?.isBroken !== true) continue;
    leftOut.push(await describe(connection, { database, name }));
  }
  // What would be passed over together with another is left to the program, which fails then.
  const gone = new Set(leftOut.map(({ name }) => name));
  const kept = new Set(tables.filter(({ name }) => !gone.has(name)).map(({ name }) => folded(name)));
  return leftOut.filter(({ name }) => !kept.has(folded(name)));
}

/** The programs look names up as if letters were all small and had no accents. */
const folded = (name: string): string => name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().trimEnd();

/** What a program that dumps is told, so that it passes over them. */
export const ignoring = (database: string, leftOut: readonly LeftOutObject[]): string[] =>
  leftOut.map(({ name }) => `--ignore-table=${database}.${name}`);

const isUnencoded = ({ name }: { readonly name: string }): boolean => name.startsWith(UNENCODED);
const UNENCODED_REASON =
  'its file is not named as the server names files, so no server takes a table of this name; mariadb-check --fix-table-names (on MySQL mysqlcheck) renames it';

/** Asks for each view what a program that dumps asks first, in few calls: the client stops where it gets no answer. */
async function brokenOf(asking: Asking, views: readonly string[]): Promise<string[]> {
  const broken: string[] = [];
  for (let at = 0; at < views.length; ) {
    const asked = views.slice(at, at + ASKED_AT_ONCE);
    const failure = await firstFailure(asking, asked);
    const failed = failure === null ? undefined : asked[failure.index];
    if (failure?.isBroken && failed !== undefined) broken.push(failed);
    at += failure === null ? asked.length : failure.index + 1;
  }
  return broken;
}

interface Asking {
  readonly connection: Server;
  readonly database: string;
  readonly timeoutMs: number;
}

interface Failure {
  readonly index: number;
  /** False: a right that the user lacks, which is told as such by the program. */
  readonly isBroken: boolean;
}

async function firstFailure(
  { connection, database, timeoutMs }: Asking,
  views: readonly string[],
): Promise<Failure | null> {
  // Which line it was is told; a name with a line break in it would shift them.
  const lines = views.map((name) => `SHOW FIELDS FROM ${quoteName(database)}.${quoteName(name)} LIKE ''`);
  const alone = lines.findIndex((line) => line.includes('\n'));
  const asked = alone === -1 ? lines : lines.slice(0, Math.max(alone, 1));
  try {
    await connection.query(asked.join(';\n'), { timeoutMs });
    if (asked.length === lines.length) return null;
    return { index: asked.length - 1, isBroken: false };
  } catch (error) {
    if (!(error instanceof AppError) || !ANSWERS.has(error.code)) throw error;
    const line = /\bat line (\d+)/.exec(error.message)?.[1];
    if (line === undefined) throw error;
    const index = alone === 0 ? 0 : Number(line) - 1;
    if (index >= asked.length) throw error;
    return { index, isBroken: error.code === 'DATABASE_TOOL_FAILED' };
  }
}

/** Of the server, which goes on. */
const ANSWERS: ReadonlySet<string> = new Set(['DATABASE_TOOL_FAILED', 'DATABASE_PERMISSION']);

async function describe(
  connection: Server,
  { database, name }: { readonly database: string; readonly name: string },
): Promise<LeftOutObject> {
  const view = `${quoteName(database)}.${quoteName(name)}`;
  const found = (await answerOf(connection, `CHECK TABLE ${view}`)).find(([, , type = '']) => /error/i.test(type));
  const [[, definition = ''] = []] = await answerOf(connection, `SHOW CREATE VIEW ${view}`);
  const reason = `it cannot be opened (${found?.[3] ?? 'the server does not say why'})`;
  return { kind: 'view', name, reason, ...(definition === '' ? {} : { definition }) };
}

async function answerOf(connection: Server, sql: string): Promise<string[][]> {
  try {
    return await connection.query(sql);
  } catch (error) {
    if (error instanceof AppError && ANSWERS.has(error.code)) return [];
    throw error;
  }
}
