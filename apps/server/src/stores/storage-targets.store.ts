/** SQL of storage targets. The whole config is sealed, because which field is secret is the driver's business. */
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import type { StorageTargetsTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { type ListWindow, windowOf } from './list-window.ts';
import type { SecretBox } from './secret-box.ts';

type Db = Kysely<Tables>;
export type StorageTargetRow = Selectable<StorageTargetsTable>;

/** What records and tasks make of a target. */
export interface TargetUse {
  readonly storedBytes: number;
  readonly recordCount: number;
  /** Living tasks only. */
  readonly taskCount: number;
}

export const storageTargetsStore = {
  find(db: Db, id: number): Promise<StorageTargetRow | undefined> {
    return db.selectFrom('storage_targets').selectAll().where('id', '=', id).executeTakeFirst();
  },

  findMany(db: Db, ids: readonly number[]): Promise<StorageTargetRow[]> {
    return db
      .selectFrom('storage_targets')
      .selectAll()
      .where('id', 'in', [...ids])
      .execute();
  },

  findByName(db: Db, name: string): Promise<StorageTargetRow | undefined> {
    return db.selectFrom('storage_targets').selectAll().where('name', '=', name).executeTakeFirst();
  },

  async list(
    db: Db,
    options: ListWindow & { q?: string | undefined },
  ): Promise<{ rows: StorageTargetRow[]; total: number }> {
    let query = db.selectFrom('storage_targets');
    if (options.q) query = query.where(containsText('name', options.q));
    const sorted = query.selectAll().orderBy('starred', 'desc').orderBy('name').orderBy('id');
    const rows = await windowOf(sorted, options).execute();
    const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    return { rows, total: Number(total) };
  },

  insert(db: Db, values: Insertable<StorageTargetsTable>): Promise<StorageTargetRow> {
    return db.insertInto('storage_targets').values(values).returningAll().executeTakeFirstOrThrow();
  },

  update(db: Db, id: number, values: Updateable<StorageTargetsTable>): Promise<StorageTargetRow | undefined> {
    return db.updateTable('storage_targets').set(values).where('id', '=', id).returningAll().executeTakeFirst();
  },

  async remove(db: Db, id: number): Promise<boolean> {
    const done = await db.deleteFrom('storage_targets').where('id', '=', id).executeTakeFirst();
    return done.numDeletedRows > 0n;
  },

  /** The config as the driver takes it. The only reader of secrets; callers keep it out of logs and answers. */
  openConfig(box: SecretBox, row: Pick<StorageTargetRow, 'config_sealed'>): Record<string, unknown> {
    return JSON.parse(box.open(row.config_sealed)) as Record<string, unknown>;
  },

  sealConfig(box: SecretBox, config: Readonly<Record<string, unknown>>): string {
    return box.seal(JSON.stringify(config));
  },

  /** Bytes, records and tasks by target; a record counts for each target that holds it. Unused targets are missing. */
  async use(db: Db): Promise<ReadonlyMap<number, TargetUse>> {
    const uses = new Map<number, { storedBytes: number; recordCount: number; taskCount: number }>();
    const add = (target: number, change: Partial<TargetUse>) => {
      const known = uses.get(target) ?? { storedBytes: 0, recordCount: 0, taskCount: 0 };
      known.storedBytes += change.storedBytes ?? 0;
      known.recordCount += change.recordCount ?? 0;
      known.taskCount += change.taskCount ?? 0;
      uses.set(target, known);
    };
    for (const row of await primaryUse(db)) {
      add(row.target, { recordCount: Number(row.records), storedBytes: Number(row.bytes ?? 0) });
    }
    for (const row of await recordsOnSeveralTargets(db)) {
      for (const target of copiesOf(row)) add(target, { recordCount: 1, storedBytes: Number(row.file_size) });
    }
    for (const row of await taskUse(db)) add(row.target, { taskCount: Number(row.tasks) });
    return uses;
  },
};

const noUse: TargetUse = { storedBytes: 0, recordCount: 0, taskCount: 0 };

/** The use of one target out of the map of all. */
export function useOf(uses: ReadonlyMap<number, TargetUse>, id: number): TargetUse {
  return uses.get(id) ?? noUse;
}

function primaryUse(db: Db) {
  return db
    .selectFrom('records')
    .select((eb) => [
      'storage_target_id as target',
      eb.fn.countAll<number>().as('records'),
      eb.fn.sum<number>('file_size').as('bytes'),
    ])
    .where('storage_target_id', '>', 0)
    .where('storage_path', '!=', '')
    .groupBy('storage_target_id')
    .execute();
}

/** Only records with a second element in their JSON list of results; most installations have none. */
function recordsOnSeveralTargets(db: Db) {
  return db
    .selectFrom('records')
    .select(['storage_target_id', 'targets', 'file_size'])
    .where('targets', 'like', '%},{%')
    .where('storage_path', '!=', '')
    .execute();
}

function copiesOf(row: { storage_target_id: number; targets: string }): number[] {
  const results = JSON.parse(row.targets) as { targetId: number; status: string }[];
  return results
    .filter((result) => result.status === 'success' && result.targetId !== row.storage_target_id)
    .map((result) => result.targetId);
}

function taskUse(db: Db) {
  return db
    .selectFrom('task_targets')
    .innerJoin('tasks', 'tasks.id', 'task_targets.task_id')
    .select((eb) => ['task_targets.storage_target_id as target', eb.fn.countAll<number>().as('tasks')])
    .where('tasks.deleted_at', 'is', null)
    .groupBy('task_targets.storage_target_id')
    .execute();
}
