/** Databases with every kind of object, and what there is to compare of them. */
import type { Mariadb } from '../servers/mariadb.ts';

const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** Names that programs like to take for something else. */
export const ODD_NAMES = [
  'a=b',
  'x y',
  '-h',
  `q'"\`z`,
  's/l',
  'ünï 世界',
  'p%2Fc',
  'back\\slash',
  'grants.sql',
  '#hash',
  '$(id)',
];

/** The database `shop`, and `other`, which a view of it reads. */
export function makeShop(server: Mariadb, rows = 500): void {
  server.sql(`
CREATE DATABASE other; CREATE TABLE other.o (id INT PRIMARY KEY, x INT); INSERT INTO other.o VALUES (1, 10), (2, 20);
CREATE DATABASE shop CHARACTER SET latin1; USE shop;
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(100), b LONGBLOB, g INT AS (LENGTH(a)) STORED, j JSON, KEY (a)) CHARSET utf8mb4;
INSERT INTO t (a, b) VALUES ('x''y;\\r\\n-- CREATE TABLE no (\\n', X'00FF27'), ('" /* CREATE VIEW', NULL), ('世界 \\\\', ''), ('DELIMITER ;;', 'a\\\\''b');
INSERT INTO t (a, b) SELECT CONCAT('row ', seq), UNHEX(SHA2(seq, 512)) FROM seq_1_to_${rows};
CREATE TABLE shop (shop INT, KEY (shop)); INSERT INTO shop VALUES (1);
CREATE TABLE child (id INT, tid INT, CONSTRAINT fk FOREIGN KEY (tid) REFERENCES t (id) ON DELETE CASCADE); INSERT INTO child VALUES (1, 1), (2, 2);
CREATE TABLE parted (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO parted SELECT seq, seq FROM seq_1_to_10;
CREATE TABLE aria (id INT) ENGINE=Aria; INSERT INTO aria VALUES (1);
CREATE SEQUENCE s START WITH 5; SELECT NEXTVAL(s);
CREATE TABLE sq (id BIGINT DEFAULT NEXTVAL(s), v INT); INSERT INTO sq (v) VALUES (1);
CREATE TABLE hist (id INT, v INT) WITH SYSTEM VERSIONING; INSERT INTO hist VALUES (1, 1); UPDATE hist SET v = 2;
CREATE VIEW v AS SELECT id, a FROM t; CREATE VIEW a_first AS SELECT * FROM v; CREATE VIEW own AS SELECT shop.shop FROM shop;
CREATE VIEW crossing AS SELECT t.id FROM t JOIN other.o ON o.id = t.id;
DELIMITER ;;
CREATE TRIGGER shop.trg BEFORE INSERT ON shop.aria FOR EACH ROW BEGIN /* CREATE TABLE c; */ SET NEW.id = NEW.id + 100; END -- last
;;
CREATE PROCEDURE p (IN x INT) BEGIN SELECT x; -- it's ;
  SELECT ";;" AS two; END;;
CREATE FUNCTION f (x INT) RETURNS INT DETERMINISTIC RETURN x + 1;;
SET sql_mode = 'NO_BACKSLASH_ESCAPES';;
CREATE FUNCTION slash () RETURNS VARCHAR(10) DETERMINISTIC RETURN '\\';;
SET sql_mode = DEFAULT;;
CREATE EVENT ev ON SCHEDULE EVERY 1 SECOND DO DELETE FROM t;;
SET sql_mode = ORACLE;;
CREATE PACKAGE pk AS PROCEDURE pp; END;;
CREATE PACKAGE BODY pk AS PROCEDURE pp IS BEGIN NULL; END; END;;
SET sql_mode = DEFAULT;;
DELIMITER ;
ALTER DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
`);
}

/** A database for each odd name, each with a table, a view and a trigger of an odd name. */
export function makeOddDatabases(server: Mariadb): void {
  for (const [index, name] of ODD_NAMES.entries()) {
    const table = quote(`t ${name}`);
    server.sql(`CREATE DATABASE ${quote(name)}; USE ${quote(name)}; CREATE TABLE ${table} (i INT); INSERT INTO ${table} VALUES (${index});
      CREATE VIEW ${quote(`v ${name}`)} AS SELECT * FROM ${table};
      CREATE TRIGGER ${quote(`g ${name}`)} BEFORE INSERT ON ${table} FOR EACH ROW SET NEW.i = 1;`);
  }
}

/** All objects and rows of a database as text; `as` is written for its name. */
export function describeDatabase(server: Mariadb, name: string, as = name): string {
  const text = (value: string) => `_utf8mb4 X'${Buffer.from(value).toString('hex')}'`;
  const lines = (sql: string) => server.sql(sql, 'information_schema').split('\n').filter(Boolean);
  const db = quote(name);
  const told = lines(
    `SELECT 'database', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM SCHEMATA WHERE SCHEMA_NAME = ${text(name)}`,
  );
  const tables = lines(
    `SELECT TO_BASE64(TABLE_NAME), TABLE_TYPE FROM TABLES WHERE TABLE_SCHEMA = ${text(name)} ORDER BY BINARY TABLE_NAME`,
  );
  for (const line of tables) {
    const [encoded = '', type = ''] = line.split('\t');
    const table = `${db}.${quote(Buffer.from(encoded, 'base64').toString())}`;
    told.push(
      ...lines(`SHOW CREATE ${type === 'VIEW' ? 'VIEW' : type === 'SEQUENCE' ? 'SEQUENCE' : 'TABLE'} ${table}`),
    );
    if (type === 'BASE TABLE' || type === 'SYSTEM VERSIONED') told.push(...lines(`CHECKSUM TABLE ${table} EXTENDED`));
    if (type === 'SYSTEM VERSIONED')
      told.push(...lines(`SELECT *, row_start, row_end FROM ${table} FOR SYSTEM_TIME ALL`));
  }
  told.push(
    ...lines(
      `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION FROM TRIGGERS WHERE TRIGGER_SCHEMA = ${text(name)} ORDER BY 1`,
    ),
  );
  told.push(
    ...lines(
      `SELECT ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, DEFINER, SQL_MODE, DTD_IDENTIFIER, DATABASE_COLLATION FROM ROUTINES WHERE ROUTINE_SCHEMA = ${text(name)} ORDER BY 1, 2`,
    ),
  );
  told.push(
    ...lines(
      `SELECT EVENT_NAME, EVENT_DEFINITION, INTERVAL_VALUE, INTERVAL_FIELD, STATUS, STARTS, DEFINER, DATABASE_COLLATION FROM EVENTS WHERE EVENT_SCHEMA = ${text(name)} ORDER BY 1`,
    ),
  );
  return told.map((line) => line.replaceAll(db, quote(as)).replaceAll(`${name}.`, `${as}.`)).join('\n');
}
