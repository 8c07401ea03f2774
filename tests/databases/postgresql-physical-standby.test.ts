/** Physical backups that are taken of a standby server, which follows another one. */
import { appendFileSync, chmodSync, existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startOn, startPostgresql } from '../servers/postgresql.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('postgresql-physical-standby');
const runner = createRunner(work.at('temp'));
let primary: Postgresql;
let standby: Postgresql;
let jobs: SourceJobs;

const sourceOf = ({ port }: Postgresql) => ({
  type: 'postgresql-physical',
  config: { dbHost: '127.0.0.1', dbPort: port, dbPassword: PASSWORD },
});
const rows = (place: Postgresql) => place.sql('SELECT string_agg(what, $$,$$ ORDER BY what) FROM marks').trim();

beforeAll(async () => {
  chmodSync(work.path, 0o711);
  primary = await startPostgresql();
  primary.sql("CREATE TABLE marks AS SELECT 'before' AS what");
  jobs = await createSourceJobs(runner, work, 'archive');
  const dataFolder = work.at('standby');
  await jobs.restore(sourceOf(primary), await jobs.backup(sourceOf(primary)), { options: { dataFolder } });
  const escaped = PASSWORD.replaceAll(/[\\']/g, '\\$&').replaceAll('\\', '\\\\').replaceAll("'", "''");
  const login = `host=127.0.0.1 port=${primary.port} user=postgres password=''${escaped}''`;
  appendFileSync(work.at('standby', 'postgresql.auto.conf'), `primary_conninfo = '${login}'\n`);
  writeFileSync(work.at('standby', 'standby.signal'), '');
  standby = await startOn(dataFolder);
  primary.sql("INSERT INTO marks VALUES ('saved')");
  await until('the new row', () => rows(standby) === 'before,saved');
});
afterAll(async () => {
  await runner.close();
  await standby?.stop();
  await primary.stop();
  work.remove();
});

it.each([{ recoveryTarget: 'none' }, { recoveryTarget: 'immediate', targetAction: 'promote' }])(
  'do not follow the primary when they are restored (%s)',
  async (options) => {
    const result = await jobs.backup(sourceOf(standby));
    expect(result.status).toBe('success');
    const saved = rows(standby);
    primary.sql(`INSERT INTO marks VALUES ('after ${options.recoveryTarget}')`);
    await until('the next row', () => rows(standby) !== saved);
    const dataFolder = work.at(`of ${options.recoveryTarget}`);
    await jobs.restore(sourceOf(standby), result, { options: { dataFolder, ...options } });
    expect(existsSync(work.at(`of ${options.recoveryTarget}`, 'standby.signal'))).toBe(false);
    const restored = await startOn(dataFolder);
    try {
      await until('the end of the recovery', () => restored.sql('SELECT pg_is_in_recovery()') === 'f\n');
      expect(rows(restored)).toBe(saved);
    } finally {
      await restored.stop();
    }
  },
);

it('are proven by a server that is none', async () => {
  const result = await jobs.backup(sourceOf(standby));
  const job = { kind: 'verify_artifact', source: sourceOf(standby), mode: 'deep' } as const;
  const { checks } = await runner.run({ ...job, artifact: jobs.artifactOf(result) });
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
});
