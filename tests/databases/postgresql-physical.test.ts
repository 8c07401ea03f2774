/** Physical backups of a real server: back into new data directories, started, compared; up to points in time. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startOn, startPostgresql } from '../servers/postgresql.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { describeDatabase, makeShop } from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-physical');
const runner = createRunner(work.at('temp'));
const archive = work.at('wal');
let server: Postgresql;

beforeAll(async () => {
  // The owner of a data directory must get to it.
  chmodSync(work.path, 0o711);
  mkdirSync(archive);
  chmodSync(archive, 0o777);
  server = await startPostgresql({
    initdb: ['--data-checksums'],
    settings: ['archive_mode=on', `archive_command='cp "%p" "${archive}/%f"'`],
  });
  makeShop(server);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql-physical',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, ...more },
});
const restoreInto = (jobs: SourceJobs, result: RunBackupResult, name: string, options: Record<string, unknown> = {}) =>
  jobs.restore(source(), result, { options: { dataFolder: work.at(name), ...options } });

/** Starts a server on a restored data directory for as long as `look` takes. */
async function started<T>(name: string, look: (restored: Postgresql) => T | Promise<T>): Promise<T> {
  const restored = await startOn(work.at(name));
  try {
    return await look(restored);
  } finally {
    await restored.stop();
  }
}

describe.each(backupModes)('in mode %s', (mode) => {
  it('comes back as it was, whatever happened since', async () => {
    const jobs = await createSourceJobs(runner, work, mode);
    const result = await jobs.backup(source());
    expect(result.problems).toEqual([]);
    const before = describeDatabase(server, 'shop');
    server.sql('DELETE FROM sales.orders WHERE id > 4000', 'shop');
    const restored = await restoreInto(jobs, result, `back-${mode}`);
    expect(restored).toMatchObject({ status: 'success', problemCount: 0 });
    await started(`back-${mode}`, (copy) => expect(describeDatabase(copy, 'shop')).toBe(before));
  });
});
