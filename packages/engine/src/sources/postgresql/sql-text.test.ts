import { describe, expect, it } from 'vitest';
import {
  displayName,
  granteesOf,
  quoteConninfo,
  quoteLiteral,
  quoteName,
  renameDatabaseIn,
  splitStatements,
  tokenize,
} from './sql-text.ts';

describe('quoting', () => {
  it('keeps names and values what they are', () => {
    expect(quoteLiteral(`it's`)).toBe(`'it''s'`);
    expect(quoteLiteral(`a\\b'`)).toBe(`E'a\\\\b'''`);
    expect(quoteName('a"b')).toBe('"a""b"');
    expect(quoteConninfo(`a'b\\c host=x`)).toBe(`'a\\'b\\\\c host=x'`);
    expect(displayName('public', 'x.y')).toBe('public."x.y"');
  });
});

describe('statements', () => {
  it('end where they end', () => {
    const sql = `\\restrict abc\n-- one; two\nSET a = 'x;y';\nCOMMENT ON ROLE "a;b" IS E'it\\';s';DO $x$ BEGIN; END $x$;\n`;
    expect(splitStatements(sql)).toEqual([
      "SET a = 'x;y'",
      `COMMENT ON ROLE "a;b" IS E'it\\';s'`,
      'DO $x$ BEGIN; END $x$',
    ]);
  });

  it('lose nothing when they are cut into words', () => {
    const sql = `ALTER ROLE "ü ""x" SET search_path TO 'a', E'\\'' ; $$ x $$ -- end`;
    expect(tokenize(sql).join('')).toBe(sql);
  });

  it('get another name for their database and nothing else', () => {
    const rename = (sql: string) => renameDatabaseIn(sql, 'new "x"');
    expect(rename(`CREATE DATABASE shop WITH TEMPLATE = template0`)).toBe(
      `CREATE DATABASE "new ""x""" WITH TEMPLATE = template0`,
    );
    expect(rename(`COMMENT ON DATABASE "a b" IS 'DATABASE a b'`)).toBe(
      `COMMENT ON DATABASE "new ""x""" IS 'DATABASE a b'`,
    );
    expect(rename(`ALTER ROLE "x DATABASE y" IN DATABASE shop SET a TO 'b'`)).toBe(
      `ALTER ROLE "x DATABASE y" IN DATABASE "new ""x""" SET a TO 'b'`,
    );
  });

  it('tell which roles they name', () => {
    const sql = `REVOKE ALL ON TABLE a FROM PUBLIC; GRANT SELECT ON TABLE "TO x" TO reader;
      GRANT ALL ON SCHEMA s TO "Shop Owner" WITH GRANT OPTION;
      ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA s GRANT SELECT ON TABLES TO other;
      CREATE POLICY p ON t FOR SELECT TO one, "Two" USING (true);`;
    expect(granteesOf(sql)).toEqual(['reader', 'Shop Owner', 'boss', 'other', 'one', 'Two']);
  });
});
