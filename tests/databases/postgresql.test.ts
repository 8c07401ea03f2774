import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  databaseNames,
  describeDatabase,
  makeLatin,
  makeOddDatabases,
  makeShop,
  ODD_NAMES,
} from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-tests');
const runner = createRunner(work.at('temp'));
let server: Postgresql;

beforeAll(async () => {
  server = await startPostgresql();
  makeShop(server);
  makeOddDatabases(server);
  makeLatin(server);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, ...more },
});

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
  });

  it('brings back every object and row of every database', async () => {
    const before = new Map(['shop', 'latin', ...ODD_NAMES].map((name) => [name, describeDatabase(server, name)]));
    const list = databaseNames(server);
    const result = await jobs.backup(source());
    expect(result).toMatchObject({ status: 'success', problems: [] });
    server.sql(
      'DROP VIEW sales.big; DELETE FROM sales.orders WHERE id > 7; DROP FUNCTION touch CASCADE; CREATE TABLE more (i int)',
      'shop',
    );
    server.sql('ALTER DATABASE shop RESET work_mem');
    server.sql('DROP DATABASE "a b"');
    const restored = await jobs.restore(source(), result, { options: { replaceExisting: true } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    for (const [name, text] of before) expect(describeDatabase(server, name), name).toBe(text);
    expect(databaseNames(server)).toEqual(list);
    expect(readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)))).toEqual([]);
  });
});
