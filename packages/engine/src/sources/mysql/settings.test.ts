import { describe, expect, it } from 'vitest';
import { byBytes, chooseDatabases, databaseOfFolder, parseRenames } from '../../ports/database-names.ts';
import { assertFits, isAtLeast, serverProduct, toolProduct } from './flavour.ts';
import { optionFile } from './option-file.ts';
import { pathBelow } from './path-below.ts';
import { missingRights, Privileges } from './privileges.ts';
import { configSchema, restoreConnection, restoreSchema, TLS_MODES } from './settings.ts';
import { folderName, parseRows, quoteName, quoteText } from './sql-text.ts';

const none = { ca: null, certificate: null, key: null };

describe('an option file', () => {
  it('quotes what means something in it', () => {
    const config = configSchema.parse({ dbUser: `a'b`, dbPassword: ` # "p\\w'\t ü=; ` });
    expect(optionFile(config, 'mariadb', none)).toContain(`user="a'b"\npassword=" # \\"p\\\\w'\\t ü=; "\n`);
  });

  it('is never given a line break', () => {
    for (const field of ['dbPassword', 'dbUser', 'dbHost', 'dbSocket']) {
      expect(configSchema.safeParse({ [field]: 'a\nb' }).success, field).toBe(false);
      expect(restoreSchema.safeParse({ [field]: 'a\nb' }).success, field).toBe(false);
    }
    expect(configSchema.safeParse({ dbPassword: 'a\0b' }).success).toBe(false);
  });

  it('speaks of TLS as the flavour does', () => {
    const told = (flavour: 'mariadb' | 'mysql') =>
      TLS_MODES.map((tlsMode) => {
        const lines = optionFile(configSchema.parse({ tlsMode }), flavour, { ...none, ca: '/ca' }).split('\n');
        return lines.filter((line) => /ssl/.test(line)).join(' ');
      });
    expect(told('mariadb')).toEqual([
      'skip-ssl ssl-ca="/ca"',
      'ssl skip-ssl-verify-server-cert ssl-ca="/ca"',
      'ssl skip-ssl-verify-server-cert ssl-ca="/ca"',
      'ssl ssl-verify-server-cert ssl-ca="/ca"',
      'ssl ssl-verify-server-cert ssl-ca="/ca"',
    ]);
    expect(told('mysql').map((line) => line.split(' ')[0])).toEqual([
      'ssl-mode=DISABLED',
      'ssl-mode=PREFERRED',
      'ssl-mode=REQUIRED',
      'ssl-mode=VERIFY_CA',
      'ssl-mode=VERIFY_IDENTITY',
    ]);
  });

  it('takes a socket before a host', () => {
    const config = configSchema.parse({ dbSocket: '/run/my.sock' });
    expect(optionFile(config, 'mysql', none)).toContain('protocol=socket\nsocket="/run/my.sock"\n');
    expect(optionFile(configSchema.parse({ dbHost: 'localhost' }), 'mysql', none)).toContain('protocol=tcp');
  });
});

describe('flavours', () => {
  it.each([
    ['mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)', 'mariadb', '10.11.19'],
    ['mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)', 'mariadb', '11.4.2'],
    ['mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)', 'mysql', '8.0.36'],
    ['mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)', 'mysql', '5.7.44'],
    ['/usr/sbin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64', 'mariadb', '10.11.19'],
  ])('%s', (text, flavour, version) => {
    expect(toolProduct(text)).toEqual({ flavour, version });
  });

  it('are told by servers', () => {
    expect(serverProduct('10.11.19-MariaDB-0+deb12u1-log')).toEqual({ flavour: 'mariadb', version: '10.11.19' });
    expect(serverProduct('5.5.5-10.3.1-MariaDB')).toEqual({ flavour: 'mariadb', version: '10.3.1' });
    expect(serverProduct('8.4.1')).toEqual({ flavour: 'mysql', version: '8.4.1' });
    expect([isAtLeast('10.11.1', '10.9'), isAtLeast('8.0', '8.0.20'), isAtLeast('11', '10.5')]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('must fit, and a program may not be older than the server', () => {
    const mariadb = { flavour: 'mariadb' as const, version: '10.11.2' };
    expect(() =>
      assertFits({ ...mariadb, name: 'mariadb-dump' }, { flavour: 'mariadb', version: '10.11.19' }),
    ).not.toThrow();
    expect(() => assertFits({ ...mariadb, name: 'mariadb-dump' }, { flavour: 'mariadb', version: '11.4.2' })).toThrow(
      'mariadb-dump MariaDB 10.11.2 does not fit the server MariaDB 11.4.2',
    );
    const wrong = () => assertFits({ flavour: 'mysql', version: '8.0.36', name: 'mysqldump' }, mariadb);
    expect(wrong).toThrow(expect.objectContaining({ code: 'DATABASE_TOOL_MISMATCH' }));
    expect(wrong).toThrow(
      expect.objectContaining({ params: expect.objectContaining({ package: 'mariadb-client 10.11 or newer' }) }),
    );
  });
});

describe('names', () => {
  it('become names of folders and come back', () => {
    for (const name of ['a/b', '.', '..', 'p%2Fc', 'grants.sql', 'plain', '%', 'ü']) {
      const folder = folderName(name);
      expect(folder).not.toMatch(/\/|^\.\.?$|^grants\.sql$/);
      expect(databaseOfFolder(folder)).toBe(name);
    }
    expect(new Set(['a/b', 'a%2Fb'].map(folderName)).size).toBe(2);
  });

  it('are quoted, and rows are read', () => {
    expect(quoteName('a`b')).toBe('`a``b`');
    expect(quoteText(`'`)).toBe("_utf8mb4 X'27'");
    expect(parseRows('a\\tb\tc\\\\n\\n\n\td\n')).toEqual([
      ['a\tb', 'c\\n\n'],
      ['', 'd'],
    ]);
    expect(['b', 'ü', 'a', 'Z'].sort(byBytes)).toEqual(['Z', 'a', 'b', 'ü']);
  });

  it('are chosen', () => {
    const all = ['a', 'test_1', 'test.2', 'b'];
    const choose = (databases: string[], excludeDatabases: string[]) =>
      chooseDatabases(all, { databases, excludeDatabases });
    expect(choose([], ['test_*'])).toEqual({ names: ['a', 'b', 'test.2'], missing: [] });
    expect(choose(['a', 'gone', 'a'], ['?'])).toEqual({ names: [], missing: ['gone'] });
  });

  it('are given anew', () => {
    const renames = parseRenames(['shop=copy', ' a\\=b=c=d ', 'nothing', 'x\\\\=y']);
    expect([...renames]).toEqual([
      ['shop', 'copy'],
      ['a=b', 'c=d'],
      ['x\\', 'y'],
    ]);
  });
});

it('restores to the server of the task unless another is named', () => {
  const config = configSchema.parse({
    dbHost: 'a',
    dbPort: 1,
    dbUser: 'u',
    dbPassword: 'p',
    tlsMode: 'verify-full',
    tlsCa: 'ca',
  });
  expect(restoreConnection(config, restoreSchema.parse({ dbUser: 'admin' }))).toMatchObject({
    dbHost: 'a',
    dbUser: 'admin',
    dbPassword: 'p',
    tlsCa: 'ca',
  });
  expect(restoreConnection(config, restoreSchema.parse({ dbHost: 'b' }))).toMatchObject({
    dbHost: 'b',
    dbPort: 3306,
    dbUser: 'u',
    tlsMode: 'preferred',
    tlsCa: '',
  });
});

describe('rights', () => {
  const mariadb = { flavour: 'mariadb' as const, version: '10.11.19' };
  const lost = (grants: string[], database = 'shop') => missingRights(new Privileges(grants), mariadb, database);

  it('are those of everything, of patterns and of tables', () => {
    expect(lost(['GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`'])).toEqual([]);
    const grants = ['GRANT SELECT, SHOW VIEW ON *.* TO `u`@`%`', 'GRANT TRIGGER, EVENT ON `sh\\_p`.* TO `u`@`%`'];
    expect(lost(grants, 'sh_p')).toEqual([]);
    expect(lost(grants)).toEqual([
      'without the right TRIGGER triggers are not seen',
      'without the right EVENT events are not seen',
    ]);
    expect(lost(['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `sh%`.* TO `u`@`%`'])).toEqual([
      'without the right SELECT on mysql.proc procedures and functions are not seen',
    ]);
    expect(
      lost(['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO u', 'GRANT SELECT ON `mysql`.`proc` TO `u`@`%`']),
    ).toEqual([]);
  });
});

it('writes files nowhere but below a folder', () => {
  expect(pathBelow(Buffer.from('/mysql/shop/dump.sql'))).toBe('mysql/shop/dump.sql');
  expect(pathBelow(Buffer.from('mysql//a%2Fb/dump.sql'))).toBe('mysql/a%2Fb/dump.sql');
  for (const path of ['/mysql/../../x', '/mysql/./x', '/mysql/a\0b']) {
    expect(() => pathBelow(Buffer.from(path))).toThrow(expect.objectContaining({ code: 'ARTIFACT_DAMAGED' }));
  }
});
