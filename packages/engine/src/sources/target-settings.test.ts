/** What a backup before a restore is made from: the server of the restore, the databases it replaces, all that is in them. */
import { describe, expect, it } from 'vitest';
import type { SourceDriver } from '../ports/source.ts';
import { sourceDrivers as sources } from './index.ts';

const driver = (type: string): SourceDriver => {
  const found = sources.find((one) => one.type === type);
  return found ?? expect.fail(`there is no ${type}`);
};

async function settingsOf(type: string, config: object, options: object): Promise<Record<string, unknown>> {
  const { config: schema, restoreConfig, targetSettings } = driver(type);
  const chosen = restoreConfig?.parse(options) ?? {};
  return (await targetSettings?.(schema.parse(config), chosen, ['shop', 'x=y'])) ?? {};
}

it('is there for every source that can save what a restore would replace', () => {
  const named = (power: 'inspectTarget' | 'targetSettings') =>
    sources.filter((one) => one[power] !== undefined).map((one) => one.type);
  // Files of stopped servers, and what HANA itself recovers, cannot be saved before.
  const without = ['mysql-physical', 'postgresql-physical', 'saphana'];
  expect(
    named('inspectTarget')
      .filter((type) => !named('targetSettings').includes(type))
      .sort(),
  ).toEqual(without);
  expect(named('targetSettings')).toEqual(expect.arrayContaining(['mysql', 'postgresql', 'redis', 'sqlite']));
});

describe.each(['postgresql', 'mysql', 'mongodb'])('of %s', (type) => {
  const stored = { dbHost: 'db-1', dbUser: 'till', dbPassword: 'one', databases: ['crm'], excludeDatabases: ['s*'] };
  const whole = { databases: ['shop', 'x=y'], excludeDatabases: [] };

  it('is the server of the task, without what the task leaves out', async () => {
    const settings = await settingsOf(type, stored, { replaceExisting: true });
    expect(settings).toMatchObject({ dbHost: 'db-1', dbUser: 'till', dbPassword: 'one', ...whole });
  });

  it('is the server that the restore names, with its login', async () => {
    const other = { dbHost: 'db-2', dbPort: 9999, dbUser: 'prover', dbPassword: 'two' };
    expect(await settingsOf(type, stored, other)).toMatchObject({ ...other, ...whole });
  });
});

it('leaves tables of PostgreSQL in that the task leaves out', async () => {
  const filtered = { excludeTables: ['cache'], excludeTableData: ['log'], schemas: ['sales'] };
  const settings = await settingsOf('postgresql', filtered, {});
  expect(settings).toMatchObject({ excludeTables: [], excludeTableData: [], schemas: [] });
});

it('takes the files of SQLite as they are', async () => {
  const settings = await settingsOf('sqlite', { databases: ['/srv/*.db'], excludeDatabases: ['/srv/x'] }, {});
  expect(settings).toMatchObject({ databases: ['shop', 'x=y'], excludeDatabases: [] });
});

it('takes the whole server of Redis, that of the task or the one that is named', async () => {
  const stored = { dbHost: 'cache-1', dbPassword: 'one' };
  expect(await settingsOf('redis', stored, { replaceExisting: true })).toMatchObject(stored);
  const other = { dbHost: 'cache-2', dbPort: 7000, dbUser: 'u', dbPassword: 'two' };
  expect(await settingsOf('redis', stored, other)).toMatchObject(other);
});
