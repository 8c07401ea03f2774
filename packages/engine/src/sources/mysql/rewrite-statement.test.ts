import { describe, expect, it } from 'vitest';
import { DumpScanner } from './dump-scanner.ts';
import { mentions, type RewriteOptions, rewriteStatement } from './rewrite-statement.ts';

const names = new Map([['shop', 'sh`op2']]);

function rewrite(sql: string, more: Partial<RewriteOptions> = {}): string {
  const scanner = new DumpScanner('shop');
  const [piece] = [...scanner.push(Buffer.from(`DELIMITER ;;\n${sql} ;;\n`)), ...scanner.end()].filter(
    ({ statement }) => statement && statement.verb !== 'DELIMITER',
  );
  if (!piece?.statement) throw new Error('no statement');
  const options: RewriteOptions = { names, definer: 'keep', isProof: false, ...more };
  return rewriteStatement(Buffer.from(sql), piece.statement, options).toString();
}

describe('names of databases', () => {
  it.each([
    [
      'a default that draws on a sequence',
      "CREATE TABLE `a` (`shop` int DEFAULT nextval(`shop`.`s`), `b` text DEFAULT '`shop`.`s`')",
      "CREATE TABLE `a` (`shop` int DEFAULT nextval(`sh``op2`.`s`), `b` text DEFAULT '`shop`.`s`')",
    ],
    [
      'a view over several databases',
      '/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50001 VIEW `v` AS select `shop`.`t`.`id` from (`shop`.`t` join `o`.`shop`) */',
      '/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50001 VIEW `v` AS select `sh``op2`.`t`.`id` from (`sh``op2`.`t` join `o`.`shop`) */',
    ],
    [
      'a view over a table called as the database: nothing',
      'CREATE ALGORITHM=UNDEFINED VIEW `v` AS select `shop`.`shop` from (`shop` join `t`)',
      'CREATE ALGORITHM=UNDEFINED VIEW `v` AS select `shop`.`shop` from (`shop` join `t`)',
    ],
    [
      'a view whose definer is gone: in its columns',
      'CREATE ALGORITHM=UNDEFINED VIEW `v` AS select `shop`.`t`.`id`,`shop`.`x` from `t` join `shop`',
      'CREATE ALGORITHM=UNDEFINED VIEW `v` AS select `sh``op2`.`t`.`id`,`shop`.`x` from `t` join `shop`',
    ],
    ['the database', 'ALTER DATABASE `shop` CHARACTER SET latin1', 'ALTER DATABASE `sh``op2` CHARACTER SET latin1'],
    [
      'a trigger: dropped from its head, left in its body',
      '/*!50003 CREATE*/ /*!50003 TRIGGER shop.g BEFORE INSERT ON `shop`.t FOR EACH ROW INSERT INTO shop.x VALUES (1) */',
      '/*!50003 CREATE*/ /*!50003 TRIGGER g BEFORE INSERT ON t FOR EACH ROW INSERT INTO shop.x VALUES (1) */',
    ],
  ])('in %s', (_, sql, wanted) => {
    expect(rewrite(sql)).toBe(wanted);
  });

  it('are found in what people wrote', () => {
    expect(mentions(Buffer.from('CREATE PROCEDURE p() SELECT * FROM shop.t'), new Set(['shop']))).toBe(true);
    expect(mentions(Buffer.from("CREATE PROCEDURE p() SELECT 'shop.t', shop FROM t"), new Set(['shop']))).toBe(false);
  });
});

it.each([
  [
    '/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b%`*/ /*!50003 TRIGGER g AFTER',
    '/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER g AFTER',
  ],
  ['CREATE DEFINER="a"@"b" PACKAGE "p" as', 'CREATE  PACKAGE "p" as'],
  ['CREATE DEFINER=`role` FUNCTION `f`() RETURNS', 'CREATE  FUNCTION `f`() RETURNS'],
  [
    'CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS',
    'CREATE ALGORITHM=MERGE  SQL SECURITY DEFINER VIEW `v` AS',
  ],
])('drops the definer of %s', (sql, wanted) => {
  expect(rewrite(sql, { definer: 'current' })).toBe(wanted);
  expect(rewrite(sql)).toBe(sql);
});

it('keeps events from running while they are a proof', () => {
  const sql = 'CREATE EVENT `ENABLE` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE ENABLE DO SET @ENABLE = 1';
  expect(rewrite(sql, { isProof: true })).toBe(sql.replace('PRESERVE ENABLE', 'PRESERVE DISABLE'));
  expect(rewrite(sql)).toBe(sql);
});
