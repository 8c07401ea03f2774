/** Backups of SQLite that cannot go well. */
import { readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll } from 'vitest';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults, secretsBelow } from '../support/dump-faults.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { dump } from './sqlite-samples.ts';

const ROWS = 3000;
const work = makeWorkFolder('sqlite-faults');
const runner = createRunner(work.at('temp'));

beforeAll(() => {
  const db = new DatabaseSync(work.at('first.db'));
  db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    INSERT INTO t SELECT i, randomblob(1000) FROM n`);
  db.close();
  const locked = new DatabaseSync(work.at('locked.db'));
  locked.exec('CREATE TABLE t(i)');
  locked.close();
});
afterAll(async () => {
  await runner.close();
  work.remove();
});

const source = (names: string[]) => ({
  type: 'sqlite',
  config: { databases: names.map((name) => work.at(name)), lockWaitSeconds: 3600 },
});

/** Somebody holds the second database for as long as it takes. */
async function besideLock(act: () => Promise<void>): Promise<void> {
  const holder = new DatabaseSync(work.at('locked.db'));
  try {
    holder.exec('BEGIN EXCLUSIVE');
    await act();
  } finally {
    holder.close();
  }
}

for (const mode of backupModes) {
  damagedBackups(mode, {
    ...{ name: 'a backup of SQLite', work, runner, source: () => source(['first.db', 'locked.db']) },
    restore: { options: { replaceExisting: true } },
    look: () => [dump(work.at('first.db')), readdirSync(work.path)],
  });
  dumpFaults(mode, {
    ...{ name: 'a backup of SQLite', work, runner, leavesSecrets: true },
    slow: () => source(['first.db', 'locked.db']),
    large: () => source(['first.db']),
    quick: () => source(['first.db', 'locked.db']),
    beside: besideLock,
    // Made before it begins to wait.
    begun: ({ tempDir }) => until('the folder of the copy', () => secretsBelow(tempDir).length > 0),
    hasEnded: () => true,
  });
}
