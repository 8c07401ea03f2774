import { type DriverManifest, MASKED_SECRET, toDriverManifest } from '@backupx/contracts/driver-manifest';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { flatDatabase, withFlatDatabase } from './flat-source.ts';

const databases = z.array(z.string()).default([]);
const manifestOf = (config: z.ZodObject): DriverManifest =>
  toDriverManifest({ kind: 'source', type: 'some', title: 'Some', config });
const server = manifestOf(z.object({ dbHost: z.string(), dbPort: z.number(), dbPassword: z.string(), databases }));
const files = manifestOf(z.object({ databases }));

describe('flat names of databases', () => {
  it.each([
    [{ dbHost: 'h', databases: ['a', 'b'] }, 'a,b', ''],
    [{ dbHost: 'h', databases: ['a,b', 'c'] }, 'a,b\nc', ''],
    [{ dbHost: 'h' }, '', ''],
    [{ databases: ['/srv/a,b.db', '/srv/c.db'] }, '', '/srv/a,b.db\n/srv/c.db'],
    [{ paths: ['/srv'] }, '', ''],
  ])('of %j', (config, dbName, dbPath) => {
    expect(flatDatabase(config)).toMatchObject({ dbName, dbPath });
  });

  it('make settings, each in the form of its driver', () => {
    const flat = { dbHost: 'h', dbPort: 0, dbName: 'a, b;c\nd', dbPath: '/x' };
    expect(withFlatDatabase(server, { config: {}, flat, stored: {} })).toEqual({
      dbHost: 'h',
      databases: ['a', 'b', 'c', 'd'],
    });
    expect(withFlatDatabase(files, { config: {}, flat: { dbPath: '/srv/a,b.db', dbHost: 'h' }, stored: {} })).toEqual({
      databases: ['/srv/a,b.db'],
    });
  });

  it('that are sent back as they were answered leave newer settings alone', () => {
    const stored = { dbHost: 'old', dbPassword: 'pw', databases: ['a'] };
    const config = { dbHost: 'new', dbPassword: 'fresh', databases: ['b'] };
    const flat = { dbHost: 'old', dbPassword: MASKED_SECRET, dbName: 'a' };
    expect(withFlatDatabase(server, { config, flat, stored })).toEqual(config);
    expect(withFlatDatabase(server, { config, flat: { dbHost: 'newest' }, stored }).dbHost).toBe('newest');
  });
});
