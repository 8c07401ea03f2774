/** Whole servers of MariaDB by mariadb-backup: there and back, and what must not go well. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { describeDatabase, makeOddDatabases, makeShop, ODD_NAMES } from './mariadb-samples.ts';

const PASSWORD = `p:\\ "'#ü %s`;
const NAMES = ['shop', 'other', ...ODD_NAMES];
const work = makeWorkFolder('mariadb-physical');
const runner = createRunner(work.at('temp'));
let server: Mariadb;

beforeAll(async () => {
  server = await startMariadb();
  makeShop(server);
  makeOddDatabases(server);
  server.sql(`CREATE TABLE shop.mine (i INT) ENGINE=MyISAM; INSERT INTO shop.mine VALUES (1), (2)`);
  server.sql(`CREATE USER copier@'127.0.0.1' IDENTIFIED BY '${PASSWORD.replaceAll(/['\\]/g, '\\$&')}';
    GRANT SELECT, RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO copier@'127.0.0.1'; CREATE USER weak@'127.0.0.1'`);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mysql-physical',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'copier', dbPassword: PASSWORD, ...more },
});
/** Numbers that a server has set aside for rows to come are lost whenever it starts. */
const describeAll = (one: Mariadb) =>
  NAMES.map((name) => describeDatabase(one, name).replaceAll(/ AUTO_INCREMENT=\d+/g, ''));
const leftInTemp = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));

async function describeRestored(dataFolder: string): Promise<string[]> {
  const restored = await startMariadb({ dataFolder });
  try {
    return describeAll(restored);
  } finally {
    await restored.stop();
  }
}

const verify = (jobs: SourceJobs, result: Awaited<ReturnType<SourceJobs['backup']>>, mode: 'quick' | 'deep') =>
  runner.run({ kind: 'verify_artifact', source: source(), mode, artifact: jobs.artifactOf(result) });

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  let result: Awaited<ReturnType<SourceJobs['backup']>>;
  let before: string[];
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
    before = describeAll(server);
    result = await jobs.backup(source());
  });

  it('brings back every database in a new data folder', async () => {
    expect(result).toMatchObject({ status: 'success', problems: [] });
    server.sql('DROP TABLE shop.child; DELETE FROM shop.t; DROP DATABASE `x y`');
    const dataFolder = work.at(`data-${mode}`);
    const restored = await jobs.restore(source(), result, { options: { dataFolder, owner: userInfo().username } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    expect(readdirSync(dataFolder).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await describeRestored(dataFolder)).toEqual(before);
    expect(leftInTemp()).toEqual([]);
    await repair(before);
  });

  it('changes nothing in a dry run', async () => {
    const dataFolder = work.at(`dry-${mode}`);
    const running = jobs.restore(source(), result, { options: { dataFolder }, dryRun: true });
    if (mode === 'archive') await expect(running).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    else expect((await running).itemsWritten).toBeGreaterThan(100);
    expect(existsSync(dataFolder)).toBe(false);
  });

  it('is proven, quickly and by a server', async () => {
    for (const depth of ['quick', 'deep'] as const) {
      const { checks } = await verify(jobs, result, depth);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      const names = checks.filter(({ subject }) => subject === '/mysql-physical').map(({ name }) => name);
      expect(names).toEqual(['structure', 'inventory', ...(depth === 'deep' ? ['restore', 'rows', 'engine'] : [])]);
    }
    expect(leftInTemp()).toEqual([]);
  });

  it('writes files into a folder, which stock tools make ready', async () => {
    const folder = work.at(`files-${mode}`);
    await jobs.restore(source(), result, { targetPath: folder });
    const inventory = JSON.parse(readFileSync(path.join(folder, 'mysql-physical/inventory.json'), 'utf8'));
    expect(inventory.details).toMatchObject({ binlogFile: 'bin.000001', lastLsn: expect.stringMatching(/^\d+$/) });
    expect(inventory.objects).toContainEqual({ kind: 'table', name: 'shop.parted', rows: 10 });
    const data = path.join(folder, 'mysql-physical/data');
    execFileSync('mariadb-backup', ['--no-defaults', '--prepare', `--target-dir=${data}`], { stdio: 'ignore' });
    expect(await describeRestored(data)).toEqual(before);
  });
});

/** Puts the shared server back to what the samples make of it. */
async function repair(expected: string[]): Promise<void> {
  for (const name of NAMES) server.sql(`DROP DATABASE IF EXISTS \`${name.replaceAll('`', '``')}\``);
  makeShop(server);
  makeOddDatabases(server);
  server.sql('CREATE TABLE shop.mine (i INT) ENGINE=MyISAM; INSERT INTO shop.mine VALUES (1), (2)');
  expect(describeAll(server).length).toBe(expected.length);
}
