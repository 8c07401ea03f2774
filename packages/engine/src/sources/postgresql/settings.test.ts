import { describe, expect, it } from 'vitest';
import { chooseDatabases, type DatabaseRow } from './database-list.ts';
import { databaseOfFolder, folderNameOf, placeOf } from './entry-paths.ts';
import { configSchema, matchesAny, newNameOf, restoreSchema } from './settings.ts';

describe('settings', () => {
  it('refuse what no password file can hold, and keep every other password', () => {
    for (const dbPassword of ['a\nb', 'a\r', 'a\0']) expect(configSchema.safeParse({ dbPassword }).success).toBe(false);
    expect(configSchema.parse({ dbPassword: `p:a\\s "'#ü ` }).dbPassword).toBe(`p:a\\s "'#ü `);
  });

  it('need nothing for a restore', () => {
    expect(restoreSchema.parse({})).toMatchObject({ dbHost: '', replaceExisting: false, endSessions: false });
  });

  it('take patterns for names only where they have * or ?', () => {
    expect(matchesAny('test_1', ['test_*'])).toBe(true);
    expect(matchesAny('a+b', ['a+b'])).toBe(true);
    expect(matchesAny('aab', ['a+b', 'a.b'])).toBe(false);
    expect(matchesAny('ab', ['a?'])).toBe(true);
  });

  it('find the new name of a database that has = in its own', () => {
    expect(newNameOf('a=b', ['a=x', 'a=b=c=d'])).toBe('c=d');
    expect(newNameOf('other', ['a=x'])).toBe('other');
  });
});

describe('the choice of databases', () => {
  const row = (name: string, more: Partial<DatabaseRow> = {}): DatabaseRow => ({
    ...{ name, owner: '', encoding: 'UTF8', collate: 'C', ctype: 'C', sizeBytes: 1 },
    ...{ mayConnect: true, isTemplate: false, isOpen: true, ...more },
  });
  const all = [
    row('a'),
    row('b'),
    row('template1', { isTemplate: true }),
    row('backupx_restore_1_a_1'),
    row('shut', { isOpen: false }),
  ];

  it('is all of them that are no template, shut or our own', () => {
    const { chosen } = chooseDatabases(all, { databases: [], excludeDatabases: ['b*'] });
    expect(chosen.map(({ name }) => name)).toEqual(['a']);
  });

  it('is exactly those named', () => {
    const { chosen, missing } = chooseDatabases(all, { databases: ['template1', 'gone', 'a'], excludeDatabases: [] });
    expect(chosen.map(({ name }) => name)).toEqual(['template1', 'a']);
    expect(missing).toEqual(['gone']);
  });
});

describe('places in an artifact', () => {
  it('lead back to every name', () => {
    for (const name of ['a', 'a/b', '50%', '%41', '.', '..', 'globals.sql', 'ü', 'a=b', '-h']) {
      expect(databaseOfFolder(folderNameOf(name))).toBe(name);
      expect(folderNameOf(name)).not.toMatch(/\/|^\.\.?$|^globals\.sql$/);
      expect(placeOf(Buffer.from(`/postgresql/${folderNameOf(name)}/dump.pgc`))).toMatchObject({
        database: name,
        item: 'dump',
      });
    }
    expect(placeOf(Buffer.from('postgresql/globals.sql'))).toMatchObject({ database: null, item: 'globals' });
    expect(placeOf(Buffer.from('/postgresql/a/other'))).toBeNull();
    expect(placeOf(Buffer.from('/mysql/a/dump.pgc'))).toBeNull();
  });
});
