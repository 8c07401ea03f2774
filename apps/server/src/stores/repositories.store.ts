/** SQL of repositories: where they lie, what opens them (sealed), how they are kept healthy. */
import { AppError } from '@backupx/contracts/errors';
import { type Insertable, type Kysely, type Selectable, sql, type Updateable } from 'kysely';
import type { RepositoriesTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import type { SecretBox } from './secret-box.ts';

type Db = Kysely<Tables>;
export type RepositoryRow = Selectable<RepositoriesTable>;
export type RepositoryView = RepositoryRow & {
  target_name: string | null;
  target_type: string | null;
  node_name: string | null;
};

/** What opens a repository. Sealed at rest, opened for jobs and for the recovery kit only. */
export interface RepositorySecret {
  readonly password: string;
  /** base64, see the contract's `repositoryAccessSchema`; empty while the repository is not made. */
  readonly masterKey: string;
}

export interface RepositoryFilter {
  readonly q?: string | undefined;
  readonly storageTargetId?: number | undefined;
  readonly nodeId?: number | undefined;
  readonly state?: string | undefined;
}

/** Numbers that are counted, not kept. */
export interface RepositoryUse {
  readonly recordCount: number;
  readonly taskCount: number;
  readonly condemnedPacks: number;
  readonly activeLeases: number;
  readonly runningMaintenanceId: number | null;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('repositories')
    .leftJoin('storage_targets', 'storage_targets.id', 'repositories.storage_target_id')
    .leftJoin('nodes', 'nodes.id', 'repositories.node_id')
    .selectAll('repositories')
    .select(['storage_targets.name as target_name', 'storage_targets.type as target_type', 'nodes.name as node_name']);
}

function matching<Q extends ReturnType<typeof viewQuery>>(query: Q, filter: RepositoryFilter): Q {
  let result = query as ReturnType<typeof viewQuery>;
  if (filter.storageTargetId !== undefined)
    result = result.where('repositories.storage_target_id', '=', filter.storageTargetId);
  if (filter.nodeId !== undefined) result = result.where('repositories.node_id', '=', filter.nodeId);
  if (filter.state !== undefined) result = result.where('repositories.state', '=', filter.state);
  if (filter.q) result = result.where(containsText('repositories.name', filter.q));
  return result as Q;
}

export const repositoriesStore = {
  async insert(db: Db, values: Insertable<RepositoriesTable>): Promise<number> {
    const row = await db.insertInto('repositories').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async update(db: Db, id: number, values: Updateable<RepositoriesTable>): Promise<void> {
    await db.updateTable('repositories').set(values).where('id', '=', id).execute();
  },

  async remove(db: Db, id: number): Promise<void> {
    await db.deleteFrom('repositories').where('id', '=', id).execute();
  },

  async find(db: Db, id: number): Promise<RepositoryRow | undefined> {
    return await db.selectFrom('repositories').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** Throws REPOSITORY_NOT_FOUND. */
  async get(db: Db, id: number): Promise<RepositoryRow> {
    const row = await repositoriesStore.find(db, id);
    if (!row) throw new AppError('REPOSITORY_NOT_FOUND', { where: `id ${id}` });
    return row;
  },

  async findMany(db: Db, ids: readonly number[]): Promise<RepositoryRow[]> {
    if (ids.length === 0) return [];
    return await db.selectFrom('repositories').selectAll().where('id', 'in', ids).execute();
  },

  async findByName(db: Db, name: string): Promise<RepositoryRow | undefined> {
    return await db.selectFrom('repositories').selectAll().where('name', '=', name).executeTakeFirst();
  },

  /** The one that tasks of a node use on a target without naming it. */
  async findOwn(db: Db, storageTargetId: number, nodeId: number): Promise<RepositoryRow | undefined> {
    return await db
      .selectFrom('repositories')
      .selectAll()
      .where('storage_target_id', '=', storageTargetId)
      .where('node_id', '=', nodeId)
      .where('is_own', '=', 1)
      .executeTakeFirst();
  },

  async ofTarget(db: Db, storageTargetId: number): Promise<RepositoryRow[]> {
    return await db
      .selectFrom('repositories')
      .selectAll()
      .where('storage_target_id', '=', storageTargetId)
      .orderBy('id')
      .execute();
  },

  async countOfNodeDisk(db: Db, nodeId: number): Promise<number> {
    const row = await db
      .selectFrom('repositories')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .where('node_id', '=', nodeId)
      .where('is_on_node_disk', '=', 1)
      .executeTakeFirst();
    return Number(row?.total ?? 0);
  },

  /** Throws REPOSITORY_NOT_FOUND. */
  async view(db: Db, id: number): Promise<RepositoryView> {
    const row = await viewQuery(db).where('repositories.id', '=', id).executeTakeFirst();
    if (!row) throw new AppError('REPOSITORY_NOT_FOUND', { where: `id ${id}` });
    return row;
  },

  async list(
    db: Db,
    filter: RepositoryFilter,
    page: { limit: number; offset: number },
  ): Promise<{ items: RepositoryView[]; total: number }> {
    const items = await matching(viewQuery(db), filter)
      .orderBy('repositories.name')
      .orderBy('repositories.id')
      .limit(page.limit)
      .offset(page.offset)
      .execute();
    const counted = await db
      .selectFrom(matching(viewQuery(db), filter).clearSelect().select('repositories.id').as('matching'))
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirst();
    return { items, total: Number(counted?.total ?? 0) };
  },

  /**
   * Repositories with something to do by their plan or to sweep; few rows, looked at every few seconds. Work planned for
   * after `farthest` counts too: no plan reaches that far, so a wrong clock made it.
   */
  async withDueWork(db: Db, { now, farthest }: { now: string; farthest: string }): Promise<RepositoryRow[]> {
    return await db
      .selectFrom('repositories')
      .selectAll()
      .where('state', '!=', 'new')
      .where(({ or, eb, exists, selectFrom }) =>
        or([
          eb('next_check_at', '<=', now),
          eb('next_prune_at', '<=', now),
          eb('next_check_at', '>', farthest),
          eb('next_prune_at', '>', farthest),
          exists(
            selectFrom('condemned_packs')
              .select('condemned_packs.pack_id')
              .whereRef('condemned_packs.repository_id', '=', 'repositories.id'),
          ),
        ]),
      )
      .orderBy('id')
      .execute();
  },

  async all(db: Db): Promise<RepositoryRow[]> {
    return await db.selectFrom('repositories').selectAll().orderBy('name').execute();
  },

  async count(db: Db): Promise<number> {
    const row = await db
      .selectFrom('repositories')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirst();
    return Number(row?.total ?? 0);
  },

  /** Repositories that gateway credentials may mean; see `repository-directory`. */
  async findByTokenHash(db: Db, tokenHash: string): Promise<RepositoryRow | undefined> {
    return await db
      .selectFrom('repositories')
      .selectAll()
      .where('gateway_token_hash', '=', tokenHash)
      .executeTakeFirst();
  },

  async addStoredBytes(db: Db, id: number, bytes: number): Promise<void> {
    await db
      .updateTable('repositories')
      .set({ stored_bytes: sql<number>`stored_bytes + ${bytes}` })
      .where('id', '=', id)
      .execute();
  },

  /** Snapshots of it were removed. After many the next clean-up comes early; 0 days: it never comes by itself. */
  async noteForgotten(db: Db, id: number, early: { count: number; many: number; now: string }): Promise<void> {
    await db
      .updateTable('repositories')
      .set({ forgotten_count: sql<number>`forgotten_count + ${early.count}` })
      .where('id', '=', id)
      .execute();
    await db
      .updateTable('repositories')
      .set({ next_prune_at: early.now })
      .where('id', '=', id)
      .where('forgotten_count', '>=', early.many)
      .where('prune_every_days', '>', 0)
      .where('next_prune_at', '>', early.now)
      .execute();
  },

  openSecret(box: Pick<SecretBox, 'open'>, row: Pick<RepositoryRow, 'secret_sealed'>): RepositorySecret {
    return JSON.parse(box.open(row.secret_sealed)) as RepositorySecret;
  },

  sealSecret(box: Pick<SecretBox, 'seal'>, secret: RepositorySecret): string {
    return box.seal(JSON.stringify(secret));
  },
};
