/**
 * SQL of nodes and their liveness. Two tables on purpose: `nodes` is configuration and changes when an administrator
 * changes it; `node_liveness` is what heartbeats tell and is written in batches. A beat can thus never undo a rename
 * or a rotated token.
 */
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { NodeLivenessTable, NodesTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';

type Db = Kysely<Tables>;
export type NodeRow = Selectable<NodesTable>;
export type NodeLivenessRow = Selectable<NodeLivenessTable>;

export interface NodeCounts {
  readonly taskCount: number;
  readonly runningCount: number;
  readonly queueDepth: number;
}

/** Rows of one liveness statement: 11 columns each, well below SQLite's limit of bound values. */
const LIVENESS_BATCH = 500;

const SORTS: Readonly<Record<string, readonly [column: 'name' | 'id' | 'created_at', direction: 'asc' | 'desc']>> = {
  name: ['name', 'asc'],
  '-name': ['name', 'desc'],
  createdAt: ['created_at', 'asc'],
  '-createdAt': ['created_at', 'desc'],
};

export const nodesStore = {
  /** Id of the node the master itself is; creates it at the first start. */
  async ensureLocal(db: Db, now: string): Promise<number> {
    const existing = await db.selectFrom('nodes').select('id').where('is_local', '=', 1).executeTakeFirst();
    if (existing) return existing.id;
    const row = await db
      .insertInto('nodes')
      .values({ name: await freeName(db, 'local'), is_local: 1, token_hash: null, created_at: now, updated_at: now })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  },

  /** Adds a remote node without a token yet (the token holds the id). */
  async insert(db: Db, name: string, now: string): Promise<number> {
    const values: Insertable<NodesTable> = { name, is_local: 0, token_hash: null, created_at: now, updated_at: now };
    const row = await db.insertInto('nodes').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async rename(db: Db, id: number, name: string, now: string): Promise<void> {
    await db.updateTable('nodes').set({ name, updated_at: now }).where('id', '=', id).execute();
  },

  async setTokenHash(db: Db, id: number, tokenHash: string, now: string): Promise<void> {
    await db.updateTable('nodes').set({ token_hash: tokenHash, updated_at: now }).where('id', '=', id).execute();
  },

  async remove(db: Db, id: number): Promise<void> {
    await db.deleteFrom('nodes').where('id', '=', id).where('is_local', '=', 0).execute();
  },

  async find(db: Db, id: number): Promise<NodeRow | undefined> {
    return await db.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst();
  },

  async findByName(db: Db, name: string): Promise<NodeRow | undefined> {
    return await db.selectFrom('nodes').selectAll().where('name', '=', name).executeTakeFirst();
  },

  async findByTokenHash(db: Db, tokenHash: string): Promise<NodeRow | undefined> {
    return await db.selectFrom('nodes').selectAll().where('token_hash', '=', tokenHash).executeTakeFirst();
  },

  /** `limit` null: all of them. */
  async list(
    db: Db,
    filter: { q?: string | undefined },
    page: { sort?: string | undefined; limit: number | null; offset: number },
  ): Promise<{ items: NodeRow[]; total: number }> {
    const [column, direction] = SORTS[page.sort ?? ''] ?? ['id', 'asc'];
    let items = db.selectFrom('nodes').selectAll().orderBy(column, direction).orderBy('id');
    let count = db.selectFrom('nodes').select(({ fn }) => fn.countAll<number>().as('total'));
    if (filter.q) {
      const matches = containsText('nodes.name', filter.q);
      items = items.where(matches);
      count = count.where(matches);
    }
    if (page.limit !== null) items = items.limit(page.limit).offset(page.offset);
    const total = await count.executeTakeFirst();
    return { items: await items.execute(), total: Number(total?.total ?? 0) };
  },

  /** Living tasks, running backups and waiting commands per node: three statements for any number of nodes. */
  async counts(db: Db): Promise<(nodeId: number) => NodeCounts> {
    const tasks = await db
      .selectFrom('tasks')
      .select(({ fn }) => ['node_id', fn.countAll<number>().as('total')])
      .where('deleted_at', 'is', null)
      .groupBy('node_id')
      .execute();
    const running = await db
      .selectFrom('records')
      .select(({ fn }) => ['node_id', fn.countAll<number>().as('total')])
      .where('status', '=', 'running')
      .groupBy('node_id')
      .execute();
    const queued = await db
      .selectFrom('commands')
      .select(({ fn }) => ['node_id', fn.countAll<number>().as('total')])
      .where('state', '=', 'pending')
      .groupBy('node_id')
      .execute();
    const byNode = (rows: readonly { node_id: number; total: number }[]) =>
      new Map(rows.map((row) => [row.node_id, Number(row.total)]));
    const [taskCounts, runningCounts, queueDepths] = [byNode(tasks), byNode(running), byNode(queued)];
    return (nodeId) => ({
      taskCount: taskCounts.get(nodeId) ?? 0,
      runningCount: runningCounts.get(nodeId) ?? 0,
      queueDepth: queueDepths.get(nodeId) ?? 0,
    });
  },

  async countLivingTasks(db: Db, nodeId: number): Promise<number> {
    const row = await db
      .selectFrom('tasks')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .where('node_id', '=', nodeId)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    return Number(row?.total ?? 0);
  },

  async allLiveness(db: Db): Promise<NodeLivenessRow[]> {
    return await db.selectFrom('node_liveness').selectAll().execute();
  },

  /** Writes what heartbeats told, in one transaction. Nodes deleted meanwhile are left out. */
  async writeLiveness(db: Db, rows: readonly NodeLivenessRow[]): Promise<void> {
    await db.transaction().execute(async (trx) => {
      for (let start = 0; start < rows.length; start += LIVENESS_BATCH) {
        const batch = rows.slice(start, start + LIVENESS_BATCH);
        const ids = batch.map((row) => row.node_id);
        const living = await trx.selectFrom('nodes').select('id').where('id', 'in', ids).execute();
        const known = new Set(living.map((row) => row.id));
        const values = batch.filter((row) => known.has(row.node_id));
        if (values.length === 0) continue;
        await trx
          .insertInto('node_liveness')
          .values(values)
          .onConflict((conflict) =>
            conflict.column('node_id').doUpdateSet(({ ref }) => ({
              last_seen: ref('excluded.last_seen'),
              hostname: ref('excluded.hostname'),
              ip_address: ref('excluded.ip_address'),
              os: ref('excluded.os'),
              arch: ref('excluded.arch'),
              agent_version: ref('excluded.agent_version'),
              protocol: ref('excluded.protocol'),
              instance_id: ref('excluded.instance_id'),
              boot_id: ref('excluded.boot_id'),
              capabilities: ref('excluded.capabilities'),
            })),
          )
          .execute();
      }
    });
  },
};

/** `wanted`, or `wanted-2`, … when an administrator has used that name already. */
async function freeName(db: Db, wanted: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const name = attempt === 1 ? wanted : `${wanted}-${attempt}`;
    const taken = await db.selectFrom('nodes').select('id').where('name', '=', name).executeTakeFirst();
    if (!taken) return name;
  }
}
