/** SQL of maintenance records; the same promises as `records.store`. One runs per repository at a time. */
import { AppError } from '@backupx/contracts/errors';
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { MaintenanceRecordsTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { COUNT_LIMIT } from './records.store.ts';
import { runRows } from './run-rows.ts';

type Db = Kysely<Tables>;
export type MaintenanceRow = Selectable<MaintenanceRecordsTable>;
export type MaintenanceView = MaintenanceRow & { node_name: string | null };

export type LastMaintenance = Pick<MaintenanceRow, 'id' | 'repository_id' | 'status' | 'started_at' | 'completed_at'>;

export interface MaintenanceFilter {
  readonly q?: string | undefined;
  readonly repositoryId?: number | undefined;
  readonly kind?: string | undefined;
  readonly status?: string | undefined;
}

/** Exported for the test that looks at its query plan. */
export function maintenanceIdsQuery(db: Db, filter: MaintenanceFilter) {
  let query = db.selectFrom('maintenance_records').select('maintenance_records.id');
  if (filter.repositoryId !== undefined) query = query.where('repository_id', '=', filter.repositoryId);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.q) query = query.where(containsText('maintenance_records.repository_name', filter.q));
  return query;
}

/**
 * The newest ended record of each repository among `kinds`; what somebody cancelled himself does not count. Exported for
 * the test that looks at its query plan.
 */
export function lastEndedQuery(db: Db, kinds: readonly string[]) {
  const newest = db
    .selectFrom('repositories')
    .select(({ selectFrom }) =>
      selectFrom('maintenance_records as one')
        .select('one.id')
        .whereRef('one.repository_id', '=', 'repositories.id')
        .where('one.kind', 'in', kinds)
        .where('one.status', 'not in', ['running', 'cancelled'])
        .orderBy('one.id', 'desc')
        .limit(1)
        .as('id'),
    );
  return db
    .selectFrom('maintenance_records')
    .select(['id', 'repository_id', 'status', 'started_at', 'completed_at'])
    .where('id', 'in', newest);
}

function viewQuery(db: Db) {
  return db
    .selectFrom('maintenance_records')
    .leftJoin('nodes', 'nodes.id', 'maintenance_records.node_id')
    .selectAll('maintenance_records')
    .select('nodes.name as node_name');
}

export const maintenanceRecordsStore = {
  ...runRows('maintenance_records'),

  async insert(db: Db, values: Insertable<MaintenanceRecordsTable>): Promise<number> {
    const row = await db.insertInto('maintenance_records').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async find(db: Db, id: number): Promise<MaintenanceRow | undefined> {
    return await db.selectFrom('maintenance_records').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** Throws MAINTENANCE_RECORD_NOT_FOUND. */
  async get(db: Db, id: number): Promise<MaintenanceRow> {
    const row = await maintenanceRecordsStore.find(db, id);
    if (!row) throw new AppError('MAINTENANCE_RECORD_NOT_FOUND');
    return row;
  },

  /** Throws MAINTENANCE_RECORD_NOT_FOUND. */
  async view(db: Db, id: number): Promise<MaintenanceView> {
    const row = await viewQuery(db).where('maintenance_records.id', '=', id).executeTakeFirst();
    if (!row) throw new AppError('MAINTENANCE_RECORD_NOT_FOUND');
    return row;
  },

  async runningIdOfRepository(db: Db, repositoryId: number): Promise<number | undefined> {
    const row = await db
      .selectFrom('maintenance_records')
      .select('id')
      .where('repository_id', '=', repositoryId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row?.id;
  },

  async lastEnded(db: Db, kinds: readonly string[]): Promise<LastMaintenance[]> {
    return await lastEndedQuery(db, kinds).execute();
  },

  /** Newest first; see `recordsStore.list`. */
  async list(
    db: Db,
    filter: MaintenanceFilter,
    page: { before?: number | undefined; limit: number; offset: number },
  ): Promise<{ items: MaintenanceView[]; total: number }> {
    let ids = maintenanceIdsQuery(db, filter).orderBy('maintenance_records.id', 'desc').limit(page.limit);
    if (page.before !== undefined) ids = ids.where('maintenance_records.id', '<', page.before);
    else if (page.offset > 0) ids = ids.offset(page.offset);
    const items = await viewQuery(db)
      .where('maintenance_records.id', 'in', ids)
      .orderBy('maintenance_records.id', 'desc')
      .execute();
    const counted = await db
      .selectFrom(
        maintenanceIdsQuery(db, filter)
          .limit(COUNT_LIMIT + 1)
          .as('matching'),
      )
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirst();
    return { items, total: Number(counted?.total ?? 0) };
  },
};
