import { describe, expect, test } from 'vitest';
import { sourceSettings } from './build-backup-job.ts';

describe('settings of a database', () => {
  test('come from the flat names of old masters; what is empty is left to the driver', () => {
    const flat = { dbHost: 'db-1', dbPort: 0, dbUser: '', dbPassword: 'pw', dbName: 'a, b;c\nd', dbPath: '' };
    expect(sourceSettings({ type: 'mysql', ...flat, extraConfig: '' }).config).toEqual({
      dbHost: 'db-1',
      dbPassword: 'pw',
      databases: ['a', 'b', 'c', 'd'],
    });
    expect(sourceSettings({ type: 'mysql', dbName: ' ' }).config).toEqual({});
    expect(sourceSettings({ type: 'sqlite', dbPath: '/srv/a,b.db' }).config).toEqual({ databases: ['/srv/a,b.db'] });
  });

  test('come whole from ours: a list of names that a text cannot hold', () => {
    const extraConfig = JSON.stringify({ databases: ['a,b'], tlsMode: 'require' });
    const fields = { type: 'postgresql', dbHost: 'db-1', dbPort: 5433, dbName: 'a,b', extraConfig };
    expect(sourceSettings(fields).config).toEqual({
      dbHost: 'db-1',
      dbPort: 5433,
      databases: ['a,b'],
      tlsMode: 'require',
    });
  });
});
