/** Database files with every kind of object, and a text of all they hold to compare by. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Every kind of object, odd names, and enough rows for some pages. */
export function makeDatabase(file: string, mode: 'wal' | 'delete', rows = 2000): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode=${mode}; PRAGMA foreign_keys=ON; PRAGMA user_version=42;
    CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id REFERENCES parent(id), body BLOB, size AS (length(body)) STORED);
    CREATE TABLE log(at TEXT, what TEXT);
    CREATE TABLE "odd ""name"" é/%"(x, y, PRIMARY KEY(x, y)) WITHOUT ROWID;
    CREATE TABLE strict_table(n INTEGER) STRICT;
    CREATE VIRTUAL TABLE words USING fts5(text);
    CREATE INDEX child_parent ON child(parent_id) WHERE parent_id IS NOT NULL;
    CREATE VIEW names AS SELECT name FROM parent;
    CREATE TRIGGER parent_added AFTER INSERT ON parent BEGIN INSERT INTO log VALUES ('now', new.name); END;`);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ${rows})
    INSERT INTO parent(id, name) SELECT i, 'parent ' || i FROM n`);
  db.exec('INSERT INTO child(parent_id, body) SELECT id, randomblob(50) FROM parent');
  db.exec(`INSERT INTO "odd ""name"" é/%" VALUES (1, ''), ('a', 'b')`);
  db.exec(`INSERT INTO strict_table VALUES (1); INSERT INTO words VALUES ('to be found')`);
  db.close();
}

/** Schema and all rows, as text. */
export function dump(file: string): string {
  return execFileSync('sqlite3', ['-readonly', file, '.dump'], { maxBuffer: 1e9, stdio: 'pipe' }).toString();
}

/** What somebody should not have done. */
export function change(file: string): void {
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM child WHERE id % 3 = 0; DROP VIEW names; UPDATE parent SET name = 'x' || name");
  db.close();
}
