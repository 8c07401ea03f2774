/** What a restore brought back and yet does not work as it did; told, since only people can decide. */
import { type DatabaseInventory, describeLeftOut, type LeftOutObject } from '../../ports/database-inventory.ts';
import type { RestoreContext } from '../../ports/source.ts';
import type { MysqlConnection } from './connection.ts';
import type { CodeStatement } from './load-dump.ts';
import { readPrivileges } from './privileges.ts';
import type { JournalEntry } from './restore-place.ts';
import { mentions, type RewriteOptions, rewriteStatement } from './rewrite-statement.ts';
import { folderName, quoteText } from './sql-text.ts';

/** The backup has told it as a gap, and it is no fault of the restore. */
export function tellLeftOut(
  source: string,
  { leftOut }: Pick<DatabaseInventory, 'leftOut'>,
  { log }: Pick<RestoreContext, 'log'>,
): void {
  for (const gap of describeLeftOut(leftOut)) log('warn', `${source}, as it was saved: ${gap}`);
}

const EXISTS = /\b1050\b/;

/**
 * Views that could not be opened when their database was about to be replaced: one of what another database of the same
 * restore had until a moment before can be made again when that is undone, too. Answers those that cannot.
 */
export async function remakeViews(
  connection: Pick<MysqlConnection, 'query'>,
  { target, existed, leftOut = [] }: Pick<JournalEntry, 'target' | 'existed' | 'leftOut'>,
): Promise<Pick<JournalEntry, 'target' | 'leftOut'>> {
  let lost = existed ? leftOut.filter(({ kind }) => kind === 'view') : [];
  // One may be of another.
  for (let before = lost.length + 1; lost.length < before; ) {
    before = lost.length;
    const failed: LeftOutObject[] = [];
    for (const object of lost) if (!(await isMade(connection, target, object))) failed.push(object);
    lost = failed;
  }
  return { target, leftOut: lost };
}

async function isMade(
  connection: Pick<MysqlConnection, 'query'>,
  database: string,
  { definition }: LeftOutObject,
): Promise<boolean> {
  if (definition === undefined) return false;
  try {
    await connection.query(definition, { database });
    return true;
  } catch (error) {
    // It is there: the swap was undone before anything had moved.
    return EXISTS.test(String(error));
  }
}

/** No statement makes a view of what is not there, so a swap that is undone brings back all but those. */
export function tellLostViews(
  { target, leftOut = [] }: Pick<JournalEntry, 'target' | 'leftOut'>,
  { log }: Pick<RestoreContext, 'log'>,
): void {
  for (const { name, reason, definition = 'unknown' } of leftOut.filter(({ kind }) => kind === 'view')) {
    log(
      'warn',
      `${target}: the view ${name} could not be read before, and is not made again (${reason}): ${definition}`,
    );
  }
}

const WHERE_DEFINED = [
  ['VIEWS', 'TABLE_SCHEMA'],
  ['TRIGGERS', 'TRIGGER_SCHEMA'],
  ['ROUTINES', 'ROUTINE_SCHEMA'],
  ['EVENTS', 'EVENT_SCHEMA'],
] as const;

/**
 * Definers of what a database holds that the server does not know: what they define fails as soon as it is used. None
 * when the user may not see who there is.
 */
async function missingDefiners(connection: MysqlConnection, database: string): Promise<string[]> {
  if (!(await readPrivileges(connection)).hasOnTable('SELECT', 'mysql.user')) return [];
  const name = quoteText(database);
  const parts = WHERE_DEFINED.map(
    ([table, column]) => `SELECT DEFINER FROM information_schema.${table} WHERE ${column} = ${name}`,
  );
  const definers = await connection.query(parts.join(' UNION '));
  // A role of MariaDB has no host.
  const known = await connection.query(`SELECT CONCAT(User, IF(Host = '', '', CONCAT('@', Host))) FROM mysql.user`);
  const accounts = new Set(known.map(([account = '']) => account));
  return definers.map(([definer = '']) => definer).filter((definer) => definer !== '' && !accounts.has(definer));
}

export async function tellMissingDefiners(
  context: RestoreContext,
  connection: MysqlConnection,
  { source, target }: { readonly source: string; readonly target: string },
): Promise<void> {
  const missing = await missingDefiners(connection, target).catch(() => []);
  if (missing.length === 0) return;
  const message = `views, triggers, routines or events are defined by users who do not exist: ${missing.join(', ')}`;
  context.problem({ path: `/mysql/${folderName(source)}`, code: 'metadata', message });
}

/** Views are rewritten; these are the words of their authors. */
const KEPT = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE', 'PACKAGE BODY']);
const LISTED = 20;

/** Lists what goes on naming a database that is called otherwise now. */
export function tellNamesKept(
  context: RestoreContext,
  { source, code, rewrite }: { source: string; code: readonly CodeStatement[]; rewrite: RewriteOptions },
): void {
  const old = new Set([source]);
  const still = code.filter(
    ({ statement, text }) => KEPT.has(statement.object) && mentions(rewriteStatement(text, statement, rewrite), old),
  );
  if (still.length === 0) return;
  const list = [...new Set(still.map(({ statement }) => `${statement.object.toLowerCase()} ${statement.name}`))];
  const message = `still name the database ${source}: ${list.slice(0, LISTED).join(', ')}`;
  context.problem({ path: `/mysql/${folderName(source)}`, code: 'metadata', message });
}
