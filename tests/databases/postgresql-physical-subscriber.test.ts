/** A server that subscribes to another: neither a proof of its backup nor a copy may take what is meant for it. */
import { chmodSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startOn, startPostgresql } from '../servers/postgresql.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('postgresql-physical-subscriber');
const runner = createRunner(work.at('temp'));
let publisher: Postgresql;
let subscriber: Postgresql;

beforeAll(async () => {
  chmodSync(work.path, 0o711);
  publisher = await startPostgresql({ settings: ['wal_level=logical'] });
  subscriber = await startPostgresql();
  publisher.sql("CREATE TABLE news (what text); CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'");
  publisher.sql('GRANT SELECT ON news TO reader; CREATE PUBLICATION all_news FOR TABLE news');
  publisher.sql("SELECT pg_create_logical_replication_slot('news', 'pgoutput') \\g /dev/null");
  subscriber.sql(`CREATE TABLE news (what text);
    CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=${publisher.port} dbname=postgres user=reader password=reader'
      PUBLICATION all_news WITH (create_slot = false, copy_data = false, enabled = true)`);
});
afterAll(async () => {
  await runner.close();
  await subscriber.stop();
  await publisher.stop();
  work.remove();
});

const source = () => ({
  type: 'postgresql-physical',
  config: { dbHost: '127.0.0.1', dbPort: subscriber.port, dbPassword: PASSWORD },
});
const slot = (what: string) => publisher.sql(`SELECT ${what} FROM pg_replication_slots WHERE slot_name = 'news'`);

it('is proven, and looked at beside the original, without a word to the publisher', async () => {
  const jobs = await createSourceJobs(runner, work, 'archive');
  const result = await jobs.backup(source());
  await subscriber.kill();
  publisher.sql("INSERT INTO news VALUES ('for the subscriber alone')");
  await until('the end of the connection', () => slot('active') === 'f\n');
  const before = slot('confirmed_flush_lsn');
  const artifact = jobs.artifactOf(result);
  const { checks } = await runner.run({ kind: 'verify_artifact', source: source(), mode: 'deep', artifact });
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(slot('confirmed_flush_lsn')).toBe(before);

  const dataFolder = work.at('copy');
  await jobs.restore(source(), result, { options: { dataFolder } });
  const copy = await startOn(dataFolder);
  try {
    expect(copy.sql('SELECT count(*) FROM pg_subscription WHERE subenabled')).toBe('1\n');
    expect(copy.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%'")).toBe(
      '0\n',
    );
    expect(slot('confirmed_flush_lsn')).toBe(before);
    // When it is the server from now on.
    const guide = readFileSync(`${dataFolder}/backupx-restore.txt`, 'utf8');
    const statement = /"(ALTER SYSTEM \w+ max_logical_replication_workers[^"]*)"/.exec(guide)?.[1];
    copy.sql(statement ?? expect.fail(guide));
    await copy.kill();
    await copy.start();
    await until('the news', () => copy.sql('SELECT count(*) FROM news') === '1\n');
  } finally {
    await copy.stop();
  }
});
