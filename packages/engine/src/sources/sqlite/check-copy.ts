import type { DatabaseSync } from 'node:sqlite';
import { SQLITE, sqliteCode, sqliteReason } from './sqlite-errors.ts';

/** What a check of a copy found; all empty: it is sound. */
export interface CopyCheck {
  /** Damage: pages, rows or index entries that do not fit together. */
  readonly damage: readonly string[];
  /** Rules of its own that its content breaks: foreign keys, constraints. It restores as it is. */
  readonly violations: readonly string[];
  /** What could not be checked, since only its own program knows how (functions, collations). */
  readonly unchecked: readonly string[];
}

/**
 * Lines of the integrity check about content that breaks a constraint, which is no damage. A connection that may only
 * read gets none about CHECK.
 */
const VIOLATION = /^((NULL|NUMERIC|TEXT|non-\w+) value in |CHECK constraint failed in )/;
/** Its default of 100 lines could be filled by broken constraints, with damage behind them. */
const MAX_LINES = 100_000;
const MAX_LISTED = 5;

/** Runs SQLite's own checks. Throws what SQLite says when it cannot even read it. */
export function checkCopy(database: DatabaseSync, depth: 'full' | 'quick'): CopyCheck {
  const [damage, violations, unchecked]: [string[], string[], string[]] = [[], [], []];
  try {
    const pragma = depth === 'full' ? 'integrity_check' : 'quick_check';
    for (const row of database.prepare(`PRAGMA ${pragma}(${MAX_LINES})`).iterate()) {
      const line = String(Object.values(row)[0]);
      if (line === 'ok') continue;
      (VIOLATION.test(line) ? violations : damage).push(line);
    }
  } catch (error) {
    const code = sqliteCode(error);
    if (code === SQLITE.CORRUPT || code === SQLITE.NOTADB) damage.push(sqliteReason(error));
    else if (code === SQLITE.ERROR) unchecked.push(`not all of it could be checked: ${sqliteReason(error)}`);
    else throw error;
  }
  if (damage.length === 0) violations.push(...brokenForeignKeys(database, unchecked));
  return { damage, violations, unchecked };
}

function brokenForeignKeys(database: DatabaseSync, unchecked: string[]): string[] {
  const counts = new Map<string, number>();
  try {
    for (const row of database.prepare('PRAGMA foreign_key_check').iterate()) {
      const key = `${row.table} → ${row.parent}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  } catch (error) {
    if (sqliteCode(error) !== SQLITE.ERROR) throw error;
    unchecked.push(`the foreign keys could not be checked: ${sqliteReason(error)}`);
  }
  return [...counts].map(([key, count]) => `${count} row(s) without what they refer to: ${key}`);
}

/** The first of many findings, as one line. */
export function joinFindings(findings: readonly string[]): string {
  const more = findings.length > MAX_LISTED ? `; ${findings.length - MAX_LISTED} more` : '';
  return `${findings.slice(0, MAX_LISTED).join('; ')}${more}`;
}
