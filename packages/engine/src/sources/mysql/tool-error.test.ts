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
  [
    "mariadb-dump: Couldn't execute 'SHOW CREATE TABLE `v`': SHOW VIEW command denied to user 'u'@'db' for table `b`.`v` (1142)",
    'DATABASE_PERMISSION',
  ],
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

it.each([
  ['TLS/SSL error: Validation of SSL server certificate failed', 'the name in the certificate is another one'],
  ['SSL connection error: SSL certificate validation failure', 'the name in the certificate is another one'],
  ['TLS/SSL error: self-signed certificate', 'the certificate is signed by itself'],
  ['TLS/SSL error: self-signed certificate in certificate chain', /by an authority that is not trusted/],
  ['TLS/SSL error: unable to get local issuer certificate', /by an authority that is not trusted/],
  ['TLS/SSL error: certificate has expired', 'the certificate has expired'],
  ['TLS/SSL error: certificate is not yet valid', 'the certificate is not valid yet'],
  ['SSL connection error: SSL is required but the server does not support it', 'the server offers no TLS'],
  ['TLS/SSL error: sslv3 alert handshake failure', /asks for a certificate of the client/],
  [
    'SSL connection error: error:0A000086:SSL routines::certificate verify failed',
    /authority is unknown, .* or it has/,
  ],
  ['TLS/SSL error: something new', /something new/],
])('tells apart why a connection is not trusted: %s', (messages, reason) => {
  const error = errorOf(`ERROR 2026 (HY000): ${messages}`);
  expect(error).toMatchObject({ code: 'DATABASE_TLS', params: { reason: expect.stringMatching(reason) } });
});
