import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DumpPiece, DumpScanner } from './dump-scanner.ts';

const END = '\n-- Dump completed\n';

function scan(text: string, size = text.length) {
  const scanner = new DumpScanner('shop');
  const bytes = Buffer.from(text);
  const pieces: DumpPiece[] = [];
  const keep = (found: readonly DumpPiece[]) =>
    pieces.push(...found.map((piece) => ({ ...piece, bytes: Buffer.from(piece.bytes) })));
  for (let at = 0; at < bytes.length; at += size) keep(scanner.push(bytes.subarray(at, at + size)));
  keep(scanner.end());
  return { scanner, pieces, text: Buffer.concat(pieces.map((piece) => piece.bytes)).toString() };
}

const DUMP = `/*M!999999\\- enable the sandbox mode */ 
-- MariaDB dump 10.19
/*!40101 SET NAMES utf8mb4 */;
-- CHANGE MASTER TO MASTER_LOG_FILE='bin.000001', MASTER_LOG_POS=5511;
DROP TABLE IF EXISTS \`v\`;
/*!50001 CREATE VIEW \`v\` AS SELECT
 NULL AS \`id\` */;
/*!50001 CREATE TABLE \`old\` (\`id\` tinyint) ENGINE=MyISAM */;
CREATE TABLE \`t\`\`1\` (
  \`id\` int COMMENT 'CREATE TABLE \`no\` (;',
  \`a\` text
);
INSERT INTO \`t\`\`1\` (\`id\`, a) VALUES (1,'x\\'y;\\r\\n-- (\\n),('),(2,"/*)"),
(3,0x00FF2728),(4,NULL);
INSERT INTO \`t\`\`1\` VALUES (5,'''(');
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`root\`@\`localhost\`*/ /*!50003 TRIGGER shop.trg BEFORE INSERT ON shop.t FOR EACH ROW BEGIN /* c; */ SET NEW.a = ';;'; END -- last
*/;;
CREATE DEFINER="root"@"localhost" PACKAGE BODY "pk" AS PROCEDURE pp IS BEGIN NULL; END; END
;;
DELIMITER ;
/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ ;
CREATE FUNCTION \`slash\`() RETURNS text RETURN '\\';
/*!50003 SET sql_mode = @saved_sql_mode */ ;
INSERT INTO \`u\` VALUES ('\\'(');
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=\`root\`@\`localhost\` SQL SECURITY DEFINER */
/*!50001 VIEW \`v\` AS select 1 */;
-- SET GLOBAL gtid_slave_pos='0-7-28';
-- insufficient privileges to SHOW CREATE PROCEDURE \`p\` to u
${END}`;

describe.each([1, 2, 3, 7, 50, 5000])('in pieces of %i bytes', (size) => {
  it('finds what a dump creates, and its rows, and hands all of it on but the position', () => {
    const { scanner, text } = scan(DUMP, size);
    expect(scanner.objects).toEqual([
      { kind: 'table', name: 't`1', rows: 5 },
      { kind: 'trigger', name: 'trg' },
      { kind: 'package body', name: 'pk' },
      { kind: 'function', name: 'slash' },
      { kind: 'view', name: 'v' },
    ]);
    expect(scanner.isWhole).toBe(true);
    expect(scanner.notes).toHaveLength(3);
    expect(text).toBe(DUMP.replace(/^-- (CHANGE|SET GLOBAL).*\n/gm, ''));
  });
});

describe('the end of a dump', () => {
  it.each([
    ['nothing', ''],
    ['no last line', 'SET a = 1;\n'],
    ['an open statement', `CREATE TABLE \`a\` (${END}`],
    ['an open text', `INSERT INTO \`a\` VALUES ('${END}`],
    ['an open comment', `SET a = 1; /* ${END}`],
    ['something behind it', `SET a = 1;${END}SET b = 1;\n`],
  ])('is missing: %s', (_, text) => {
    expect(scan(text).scanner.isWhole).toBe(false);
  });

  it('is missing wherever a dump is cut', () => {
    for (let length = 0; length < DUMP.indexOf('-- Dump completed'); length += 1) {
      expect(scan(DUMP.slice(0, length)).scanner.isWhole, `cut at ${length}`).toBe(false);
    }
  });
});

it('tells the statement before it hands on any of its bytes', () => {
  for (const { statement, bytes } of scan(DUMP, 10).pieces) {
    if (!statement) expect(bytes.toString().trim()).toMatch(/^--|^$/);
  }
});

it('gives up on what is no dump', () => {
  const scanner = new DumpScanner('shop');
  expect(() => scanner.push(Buffer.alloc(5_000_000, 'CREATE '))).not.toThrow();
  expect(() => scanner.push(Buffer.from(`-- ${'x'.repeat(10)}`))).not.toThrow();
  expect(() => new DumpScanner('shop').push(Buffer.alloc(5_000_000, '/* nothing */ '))).toThrow('cannot be restored');
});

it('says the same of any rows, wherever their bytes are cut', () => {
  const bits = [
    ...[
      "'",
      "''",
      '\\',
      "\\'",
      '(',
      ')',
      ',',
      ';',
      '-',
      '--',
      '-- x\n',
      '/',
      '*',
      '/*',
      '*/',
      '/*!50000 ',
      '#',
      '"',
      '`',
    ],
    ...["(1,'a')", ',\n', "'it''s'", "'a\\\\'", '-5', '--5', 'a', '\n', ' ', ';;', 'é', '0xABCD', 'DELIMITER ;;\n'],
    ...['INSERT INTO `t` VALUES (', "SET sql_mode='NO_BACKSLASH_ESCAPES';", "SET sql_mode='';"],
  ];
  const text = fc.array(fc.constantFrom(...bits), { maxLength: 60 }).map((parts) => parts.join(''));
  const tell = (dump: string, size: number) => {
    const { scanner, text: passed } = scan(dump, size);
    return { objects: scanner.objects, isWhole: scanner.isWhole, passed };
  };
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 80 }), (rows, size) => {
      const dump = `CREATE TABLE \`t\` (i int);\nINSERT INTO \`t\` VALUES ${rows}${END}`;
      expect(tell(dump, size)).toEqual(tell(dump, dump.length * 2));
    }),
    { numRuns: 1500 },
  );
});

it('takes signs between rows for what they are', () => {
  const rows = "(1,-5,'a') -- it's (\n,(2,3--4,'b') # \"(\n,(3,4,'c''(') /* '( */,(4,`x`,\"(\")";
  const { scanner } = scan(`CREATE TABLE \`t\` (i int);\nINSERT INTO \`t\` VALUES ${rows};${END}`);
  expect(scanner.objects).toEqual([{ kind: 'table', name: 't', rows: 4 }]);
  expect(scanner.isWhole).toBe(true);
});
