import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { describeDatabase, makeOddDatabases, makeShop, ODD_NAMES } from './mariadb-samples.ts';

const work = makeWorkFolder('mariadb-tests');
const runner = createRunner(work.at('temp'));
let server: Mariadb;

beforeAll(async () => {
  server = await startMariadb();
  makeShop(server);
  makeOddDatabases(server);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mysql',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root', ...more },
});
const schemas = () => server.sql('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1');

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
  });

  it('brings back every object and row of every database', async () => {
    const before = new Map(['shop', 'other', ...ODD_NAMES].map((name) => [name, describeDatabase(server, name)]));
    const list = schemas();
    const result = await jobs.backup(source());
    expect(result).toMatchObject({ status: 'success', problems: [] });
    server.sql(
      'DROP VIEW shop.own; DELETE FROM shop.t WHERE id > 3; DROP PROCEDURE shop.p; DROP TRIGGER shop.trg; CREATE TABLE shop.more (i INT); DROP DATABASE `x y`',
    );
    const restored = await jobs.restore(source(), result, { options: { replaceExisting: true } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    for (const [name, text] of before) expect(describeDatabase(server, name), name).toBe(text);
    expect(schemas()).toBe(list);
    expect(readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)))).toEqual([]);
  });
});
