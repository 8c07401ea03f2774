/**
 * Puts a proven scratch database in the place of another. A database cannot be renamed, so its tables move, all in one
 * statement that happens as a whole or not at all, and its code is made anew around that. What was there is written down
 * first; `undoSwap` brings it back wherever a swap stopped, also when the process that began it is gone.
 */
import { AppError } from '@backupx/contracts/errors';
import { withoutLeftOut } from '../../ports/database-inventory.ts';
import type { MysqlConnection, Tool } from './connection.ts';
import { dumpStructure } from './dump-database.ts';
import { leftOutOf } from './left-out.ts';
import { type CodeStatement, loadDump, runCode } from './load-dump.ts';
import { readInventory, type ServerInventory } from './read-inventory.ts';
import type { Journal, JournalEntry, RestoreNames } from './restore-place.ts';
import type { RewriteOptions } from './rewrite-statement.ts';
import { quoteName, quoteText } from './sql-text.ts';

/** Renaming waits for whoever uses a table. */
const SWAP_TIMEOUT_MS = 10 * 60 * 1000;

export interface Swap {
  readonly index: number;
  readonly target: string;
  readonly charset: string;
  readonly collation: string;
  readonly code: readonly CodeStatement[];
  readonly rewrite: RewriteOptions;
}

export interface SwapPlace {
  /** Never cancelled: a swap is not stopped in the middle. */
  readonly connection: MysqlConnection;
  readonly dumper: Tool;
  readonly names: RestoreNames;
  readonly journal: Journal;
}

const TABLE_KINDS = new Set(['table', 'sequence']);
const tablesOf = ({ objects }: Pick<ServerInventory, 'objects'>): string[] =>
  objects.filter(({ kind }) => TABLE_KINDS.has(kind)).map(({ name }) => name);

/** Does it. When it throws, `undoSwap` has to be called. */
export async function swapDatabase(place: SwapPlace, swap: Swap): Promise<void> {
  const { connection, names, journal } = place;
  const { target, index } = swap;
  const scratch = names.scratch(index);
  const entry = await describeBefore(place, swap);
  await journal.write(index, entry);
  const existing = entry.existed ? '' : `CREATE DATABASE ${quoteName(target)};`;
  await connection.query(`${existing} CREATE DATABASE ${quoteName(names.old(index))}`, { doing: 'create databases' });
  await dropCode(connection, target, 'all');
  await dropCode(connection, scratch, 'triggers');
  await move(connection, [
    { from: target, to: names.old(index), tables: entry.oldTables },
    { from: scratch, to: target, tables: entry.newTables },
  ]);
  await setCharset(connection, target, swap);
  await moveDefaults(connection, { from: scratch, to: target });
  await runCode(connection, target, swap);
}

async function describeBefore(
  { connection, dumper, names }: SwapPlace,
  { index, target }: Swap,
): Promise<JournalEntry> {
  const newTables = tablesOf(await readInventory(connection, names.scratch(index)));
  const before = await readInventory(connection, target);
  const existed = before.charset !== '';
  const isEmpty = before.objects.length === 0;
  const leftOut = await leftOutOf(connection, target);
  const old = { connection, tool: dumper, database: target, leftOut };
  const oldDump = isEmpty ? Buffer.alloc(0) : await dumpStructure(old);
  const { charset, collation } = before;
  return {
    target,
    existed,
    charset,
    collation,
    newTables,
    oldTables: tablesOf(before),
    oldDump: oldDump.toString('base64'),
    leftOut,
  };
}

/** Brings back what was there. Knows by itself how far the swap came. */
export async function undoSwap(
  { connection, names }: Pick<SwapPlace, 'connection' | 'names'>,
  index: number,
  entry: JournalEntry,
): Promise<void> {
  const { target, existed, oldTables, newTables } = entry;
  const [scratch, old] = [names.scratch(index), names.old(index)];
  const moved = new Set(tablesOf(await readInventory(connection, old)));
  const staged = new Set(tablesOf(await readInventory(connection, scratch)));
  // As long as no table has moved what could not be read is there as it was; nothing else can make it again.
  const tables = newTables.length + oldTables.length;
  const isMoving = tables === 0 || moved.size > 0 || newTables.some((name) => !staged.has(name));
  await dropCode(connection, target, 'all', isMoving ? [] : entry.leftOut);
  await move(connection, [
    { from: target, to: scratch, tables: newTables.filter((name) => isMoved(name, { moved, staged, entry })) },
    { from: old, to: target, tables: oldTables.filter((name) => moved.has(name)) },
  ]);
  if (!existed) {
    await connection.query(`DROP DATABASE IF EXISTS ${quoteName(target)}`);
    return;
  }
  await setCharset(connection, target, entry);
  if (entry.oldDump === '') return;
  const content = [Buffer.from(entry.oldDump, 'base64')];
  const { code } = await loadDump({
    database: target,
    scratch: target,
    content: iterate(content),
    writeTables: async () => {},
  });
  await runCode(connection, target, { code, rewrite: { names: new Map(), definer: 'keep', isProof: false } });
}

/** The tables moved together, so one that is not in the scratch database any more is in the target. */
function isMoved(
  name: string,
  { moved, staged, entry }: { moved: ReadonlySet<string>; staged: ReadonlySet<string>; entry: JournalEntry },
): boolean {
  return !staged.has(name) && (entry.oldTables.length === 0 || moved.size > 0);
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

interface Move {
  readonly from: string;
  readonly to: string;
  readonly tables: readonly string[];
}

async function move(connection: MysqlConnection, moves: readonly Move[]): Promise<void> {
  const renames = moves.flatMap(({ from, to, tables }) =>
    tables.map((name) => `${quoteName(from)}.${quoteName(name)} TO ${quoteName(to)}.${quoteName(name)}`),
  );
  if (renames.length === 0) return;
  const sql = `SET foreign_key_checks = 0; RENAME TABLE ${renames.join(', ')}`;
  await connection.query(sql, { timeoutMs: SWAP_TIMEOUT_MS, doing: 'rename tables' });
}

async function setCharset(
  connection: MysqlConnection,
  database: string,
  { charset, collation }: { charset: string; collation: string },
): Promise<void> {
  // Both are words; what is none comes from no server.
  if (!/^\w+$/.test(charset) || !/^\w+$/.test(collation)) return;
  await connection.query(`ALTER DATABASE ${quoteName(database)} CHARACTER SET ${charset} COLLATE ${collation}`);
}

/** Drops views, triggers, routines and events, or the triggers alone: with one, no table goes to another database. */
async function dropCode(
  connection: MysqlConnection,
  database: string,
  what: 'all' | 'triggers',
  kept: JournalEntry['leftOut'] = [],
): Promise<void> {
  const objects = withoutLeftOut((await readInventory(connection, database)).objects, kept);
  // Events first, which would run; bodies of packages before the packages.
  const order = ['event', 'trigger', 'view', 'procedure', 'function', 'package body', 'package'];
  const dropped = objects
    .filter(({ kind }) => (what === 'triggers' ? kind === 'trigger' : order.includes(kind)))
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const drops = dropped.map(({ kind, name }) => {
    // Packages are words of one SQL mode only.
    const mode = kind.startsWith('package') ? `SET sql_mode = 'ORACLE'; ` : '';
    return `${mode}DROP ${kind.toUpperCase()} IF EXISTS ${quoteName(database)}.${quoteName(name)}`;
  });
  if (drops.length > 0)
    await connection.query(drops.join(';\n'), { timeoutMs: SWAP_TIMEOUT_MS, doing: 'drop views and routines' });
}

/** Columns that take their values from a sequence name it with its database. */
async function moveDefaults(connection: MysqlConnection, { from, to }: { from: string; to: string }): Promise<void> {
  const name = quoteName(from);
  const rows = await connection.query(
    `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ${quoteText(to)} AND INSTR(COLUMN_DEFAULT, ${quoteText(`${name}.`)}) > 0`,
  );
  const changes = rows.map(([table = '', column = '', value = '']) => {
    const moved = value.replaceAll(`${name}.`, `${quoteName(to)}.`);
    return `ALTER TABLE ${quoteName(to)}.${quoteName(table)} ALTER COLUMN ${quoteName(column)} SET DEFAULT ${moved}`;
  });
  if (changes.length > 0) await connection.query(changes.join(';\n'), { timeoutMs: SWAP_TIMEOUT_MS });
}

/** Throws RESTORE_TARGET_INVALID when tables of other databases refer to this one: they would go on with the old tables. */
export async function assertNotReferred(connection: MysqlConnection, target: string): Promise<void> {
  const name = quoteText(target);
  const rows = await connection.query(
    `SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE
     WHERE REFERENCED_TABLE_SCHEMA = ${name} AND TABLE_SCHEMA <> ${name} LIMIT 5`,
  );
  if (rows.length === 0) return;
  const tables = rows.map(([database, table]) => `${database}.${table}`).join(', ');
  throw new AppError('RESTORE_TARGET_INVALID', { path: target, reason: `foreign keys of ${tables} refer to it` });
}
