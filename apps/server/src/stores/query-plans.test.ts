/** The queries that run all the time, or over tables that grow without end, must use an index. */
import type { Compilable, Kysely } from 'kysely';
import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OpenDatabase } from '../database/open-database.ts';
import type { Tables } from '../database/tables.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { condemnedQuery } from './condemned-packs.store.ts';
import { nextQuery } from './followups.store.ts';
import { lastEndedQuery, maintenanceIdsQuery } from './maintenance-records.store.ts';
import { piecesQuery } from './record-logs.store.ts';
import { newestIdsQuery, newestVerifiedIdsQuery, recordIdsQuery } from './records.store.ts';
import { leasesOfHolderQuery, openLeasesQuery } from './repository-leases.store.ts';
import { openLeaseCountsQuery, recordCountsQuery } from './repository-use.ts';
import { dueQuery } from './tasks.store.ts';

let database: OpenDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

async function planOf(query: Compilable): Promise<string> {
  const { sql, parameters } = query.compile();
  const explain = CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]);
  const { rows } = await database.db.executeQuery<{ detail: string }>(explain);
  return rows.map((row) => row.detail).join('\n');
}

const now = '2026-01-01T00:00:00.000Z';
const newest = (db: Kysely<Tables>, filter: Parameters<typeof recordIdsQuery>[1]) =>
  recordIdsQuery(db, filter).orderBy('records.id', 'desc').limit(50);

it.each<[name: string, index: string, query: (db: Kysely<Tables>) => Compilable]>([
  ['due tasks', 'tasks_next_run', (db) => dueQuery(db, now, 100)],
  ['next follow-up', 'followups_queue', (db) => nextQuery(db, now)],
  ['log pieces', 'record_logs_owner', (db) => piecesQuery(db, 'record', 1, { afterId: 5, limit: 100 })],
  ['records of a task', 'records_task', (db) => newest(db, { taskId: 1 })],
  ['records of a node', 'records_node', (db) => newest(db, { nodeId: 1 })],
  ['records of a status', 'records_status', (db) => newest(db, { status: 'failed' })],
  ['newest good record of tasks', 'records_task', (db) => newestIdsQuery(db, [1, 2], true)],
  ['newest verified record of tasks', 'records_verified', (db) => newestVerifiedIdsQuery(db, [1, 2])],
  ['records from a cursor', 'INTEGER PRIMARY KEY', (db) => newest(db, {}).where('records.id', '<', 900)],
  [
    'the run that holds a task',
    'records_one_running',
    (db) => db.selectFrom('records').select('id').where('task_id', '=', 1).where('status', '=', 'running'),
  ],
  ['leases of a run', 'repository_leases_owner', (db) => leasesOfHolderQuery(db, { owner: 'record', ownerId: 1 })],
  ['open leases of a repository', 'repository_leases_open', (db) => openLeasesQuery(db, 1)],
  ['open leases of repositories', 'repository_leases_open', (db) => openLeaseCountsQuery(db, [1, 2])],
  ['condemned packs', 'condemned_packs', (db) => condemnedQuery(db, 1)],
  ['records of repositories', 'repository_leases_repository', (db) => recordCountsQuery(db, [1, 2])],
  [
    'maintenance of a repository',
    'maintenance_records_repository',
    (db) => maintenanceIdsQuery(db, { repositoryId: 1 }).orderBy('maintenance_records.id', 'desc').limit(50),
  ],
  [
    'the maintenance that runs',
    'maintenance_one_running',
    (db) =>
      db.selectFrom('maintenance_records').select('id').where('repository_id', '=', 1).where('status', '=', 'running'),
  ],
])('%s: %s', async (_name, index, query) => {
  const plan = await planOf(query(database.db));
  expect(plan).toContain(index);
  expect(plan).not.toMatch(/^SCAN /m);
});

it('the last maintenance of each repository is found without reading all of it', async () => {
  const plan = await planOf(lastEndedQuery(database.db, ['prune', 'sweep']));
  expect(plan).toContain('SEARCH one USING INDEX maintenance_records_repository');
  expect(plan).toContain('SEARCH maintenance_records USING INTEGER PRIMARY KEY');
});

it('pages of records need no sorting', async () => {
  for (const filter of [{ taskId: 1 }, { nodeId: 1 }, { status: 'failed' }, {}]) {
    expect(await planOf(newest(database.db, filter))).not.toContain('TEMP B-TREE');
  }
});
