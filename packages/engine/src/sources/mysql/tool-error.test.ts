import { expect, it } from 'vitest';
import { configSchema } from './settings.ts';
import { describeServer, toolError } from './tool-error.ts';

const config = configSchema.parse({ dbHost: 'db', dbUser: 'u' });
const errorOf = (messages: string, signal: NodeJS.Signals | null = null) =>
  toolError({ exitCode: signal ? null : 1, signal, messages }, { tool: 'mariadb-dump', doing: 'dump shop', config });

it.each([
  ["ERROR 1045 (28000): Access denied for user 'u'@'db' (using password: YES)", 'DATABASE_AUTH'],
  [`mariadb-dump: Got error: 1045: "Access denied for user 'u'@'db'" when trying to connect`, 'DATABASE_AUTH'],
  ["ERROR 2003 (HY000): Can't connect to server on 'db' (111)", 'DATABASE_UNREACHABLE'],
  ["ERROR 2002 (HY000): Can't connect to local server through socket '/s' (2)", 'DATABASE_UNREACHABLE'],
  [
    'mariadb-dump: Error 2013: Lost connection to server during query when dumping table `t` at row: 5',
    'DATABASE_UNREACHABLE',
  ],
  ['ERROR 2026 (HY000): TLS/SSL error: self-signed certificate', 'DATABASE_TLS'],
  ["mysqldump: Got error: 1049: Unknown database 'gone' when selecting the database", 'DATABASE_NOT_FOUND'],
  ["ERROR 1044 (42000) at line 1: Access denied for user 'u'@'%' to database 'x'", 'DATABASE_PERMISSION'],
  [
    'ERROR 1227 (42000) at line 1: Access denied; you need (at least one of) the SET USER privilege(s)',
    'DATABASE_PERMISSION',
  ],
  ["mariadb-dump: Couldn't execute 'SHOW CREATE TABLE `v`': View is broken (1356)", 'DATABASE_TOOL_FAILED'],
  ['', 'DATABASE_TOOL_FAILED'],
])('%s', (messages, code) => {
  expect(errorOf(messages).code).toBe(code);
});

it('tells what was said, without the statement that may hold data', () => {
  const said = `--------------\nINSERT INTO t VALUES ('secret')\n--------------\n\nERROR 1146 (42S02) at line 7: Table 'shop.t' doesn't exist`;
  expect(errorOf(said).message).toBe(
    "mariadb-dump failed: ERROR 1146 (42S02) at line 7: Table 'shop.t' doesn't exist (exit code 1)",
  );
  expect(errorOf('Killed', 'SIGKILL').message).toContain('SIGKILL');
  expect(describeServer(config)).toBe('db:3306');
  expect(describeServer({ ...config, dbSocket: '/s' })).toBe('/s');
});
