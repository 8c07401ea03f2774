/**
 * SQL of the command queue. Every change of state is one conditional UPDATE (`… WHERE state = …`), so whoever comes
 * second changes nothing: two polls never get the same command, a late result never reopens one.
 */
import type { CommandState, CommandType } from '@backupx/contracts/agent-protocol';
import type { Lane } from '@backupx/contracts/jobs';
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { CommandsTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;
export type CommandRow = Selectable<CommandsTable>;

export interface NewCommand {
  readonly nodeId: number;
  readonly type: CommandType;
  readonly lane: Lane;
  /** Ids only, never secrets. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly recordId?: number;
  readonly restoreRecordId?: number;
  readonly maintenanceRecordId?: number;
  readonly verifyRecordId?: number;
  readonly now: string;
  readonly expiresAt: string;
}

export interface ClaimWish {
  readonly nodeId: number;
  readonly lanes: readonly Lane[];
  /** Written into the row: which agent process has it; empty for agents from the field. */
  readonly bootId: string;
  readonly now: string;
}

/** Kinds of runs a command may belong to, and the column that says so. */
const runColumns = {
  record: ['records', 'record_id'],
  restore: ['restore_records', 'restore_record_id'],
  maintenance: ['maintenance_records', 'maintenance_record_id'],
  verify: ['verify_records', 'verify_record_id'],
} as const;
export type CommandRunOwner = keyof typeof runColumns;

const OPEN_STATES: readonly CommandState[] = ['pending', 'dispatched'];

async function waitingRestores(db: Db): Promise<ReadonlySet<number>> {
  const query = db.selectFrom('restore_records').select('id').where('status', '=', 'running');
  const rows = await query.where('waits_for_safety', '=', 1).execute();
  return new Set(rows.map((row) => row.id));
}

export const commandsStore = {
  async insert(db: Db, command: NewCommand): Promise<number> {
    const values: Insertable<CommandsTable> = {
      node_id: command.nodeId,
      type: command.type,
      lane: command.lane,
      state: 'pending',
      payload: JSON.stringify(command.payload),
      record_id: command.recordId ?? null,
      restore_record_id: command.restoreRecordId ?? null,
      maintenance_record_id: command.maintenanceRecordId ?? null,
      verify_record_id: command.verifyRecordId ?? null,
      boot_id: '',
      result: '',
      error_message: '',
      created_at: command.now,
      dispatched_at: null,
      last_activity_at: command.now,
      completed_at: null,
      expires_at: command.expiresAt,
    };
    const row = await db.insertInto('commands').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async find(db: Db, id: number): Promise<CommandRow | undefined> {
    return await db.selectFrom('commands').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /**
   * Takes the next command of a node, questions before work, older before younger. One UPDATE … RETURNING: the state is
   * checked again on the row that is written, so on any database only one poller gets it.
   */
  async claim(db: Db, wish: ClaimWish): Promise<CommandRow | undefined> {
    return await db
      .updateTable('commands')
      .set({ state: 'dispatched', dispatched_at: wish.now, last_activity_at: wish.now, boot_id: wish.bootId })
      .where('state', '=', 'pending')
      .where('id', '=', (next) =>
        next
          .selectFrom('commands as waiting')
          .select('waiting.id')
          .where('waiting.node_id', '=', wish.nodeId)
          .where('waiting.state', '=', 'pending')
          .where('waiting.lane', 'in', wish.lanes)
          .where(({ or, eb }) => or([eb('waiting.lane', '=', 'work'), eb('waiting.expires_at', '>', wish.now)]))
          .orderBy('waiting.lane', 'asc')
          .orderBy('waiting.id', 'asc')
          .limit(1),
      )
      .returningAll()
      .executeTakeFirst();
  },

  /** Ends a command that is in one of the states `from`; answers whether it was. */
  async finish(
    db: Db,
    id: number,
    end: {
      state: Exclude<CommandState, 'pending' | 'dispatched'>;
      from?: readonly CommandState[];
      result?: string;
      errorMessage?: string;
      now: string;
    },
  ): Promise<boolean> {
    const done = await db
      .updateTable('commands')
      .set({
        state: end.state,
        result: end.result ?? '',
        error_message: end.errorMessage ?? '',
        completed_at: end.now,
        last_activity_at: end.now,
      })
      .where('id', '=', id)
      .where('state', 'in', end.from ?? OPEN_STATES)
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  },

  /** Puts a command whose delivery was lost back into the queue. */
  async requeue(db: Db, id: number, now: string, expiresAt: string): Promise<boolean> {
    const done = await db
      .updateTable('commands')
      .set({ state: 'pending', dispatched_at: null, boot_id: '', last_activity_at: now, expires_at: expiresAt })
      .where('id', '=', id)
      .where('state', '=', 'dispatched')
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  },

  /** An agent that came back as a new process, with its journal, still holds the command. */
  async adopt(db: Db, id: number, bootId: string): Promise<void> {
    await db
      .updateTable('commands')
      .set({ boot_id: bootId })
      .where('id', '=', id)
      .where('state', '=', 'dispatched')
      .execute();
  },

  async noteActivity(db: Db, id: number, at: string): Promise<void> {
    await db
      .updateTable('commands')
      .set({ last_activity_at: at })
      .where('id', '=', id)
      .where('state', '=', 'dispatched')
      .execute();
  },

  async extend(db: Db, id: number, expiresAt: string): Promise<void> {
    await db
      .updateTable('commands')
      .set({ expires_at: expiresAt })
      .where('id', '=', id)
      .where('state', '=', 'pending')
      .execute();
  },

  async dispatched(db: Db): Promise<CommandRow[]> {
    return await db.selectFrom('commands').selectAll().where('state', '=', 'dispatched').execute();
  },

  async openOfNode(db: Db, nodeId: number): Promise<CommandRow[]> {
    return await db
      .selectFrom('commands')
      .selectAll()
      .where('node_id', '=', nodeId)
      .where('state', 'in', OPEN_STATES)
      .execute();
  },

  async openOfRun(db: Db, owner: CommandRunOwner, id: number): Promise<CommandRow | undefined> {
    return await db
      .selectFrom('commands')
      .selectAll()
      .where(runColumns[owner][1], '=', id)
      .where('state', 'in', OPEN_STATES)
      .executeTakeFirst();
  },

  /** The last command of a run, ended or not; undefined: it had none, or that was long ago. */
  async lastOfRun(db: Db, owner: CommandRunOwner, id: number): Promise<CommandRow | undefined> {
    return await db
      .selectFrom('commands')
      .selectAll()
      .where(runColumns[owner][1], '=', id)
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
  },

  /** Commands that wait although their time has passed. */
  async pendingPast(db: Db, now: string): Promise<CommandRow[]> {
    return await db
      .selectFrom('commands')
      .selectAll()
      .where('state', '=', 'pending')
      .where('expires_at', '<=', now)
      .execute();
  },

  async nodesWithPending(db: Db): Promise<number[]> {
    const rows = await db.selectFrom('commands').select('node_id').distinct().where('state', '=', 'pending').execute();
    return rows.map((row) => row.node_id);
  },

  /** Questions of the last life of the master: nobody waits for their answers any more. */
  async endQuestions(db: Db, now: string): Promise<void> {
    await db
      .updateTable('commands')
      .set({ state: 'timeout', error_message: 'The master was restarted.', completed_at: now })
      .where('lane', '=', 'control')
      .where('state', 'in', OPEN_STATES)
      .execute();
  },

  /** Runs of remote nodes that no open command belongs to. */
  async runsWithoutCommand(db: Db): Promise<{ owner: CommandRunOwner; id: number; nodeId: number }[]> {
    const runs: { owner: CommandRunOwner; id: number; nodeId: number }[] = [];
    for (const owner of Object.keys(runColumns) as CommandRunOwner[]) {
      // The query builder's types follow one table; the columns used here are the same in all.
      const [table, column] = runColumns[owner] as (typeof runColumns)['record'];
      const rows = await db
        .selectFrom(table)
        .innerJoin('nodes', 'nodes.id', `${table}.node_id`)
        .leftJoin('commands', (join) =>
          join.onRef(`commands.${column}`, '=', `${table}.id`).on('commands.state', 'in', OPEN_STATES),
        )
        .select([`${table}.id`, `${table}.node_id`])
        .where(`${table}.status`, '=', 'running')
        .where('nodes.is_local', '=', 0)
        .where('commands.id', 'is', null)
        .execute();
      // It gets one when the backup that comes first has ended.
      const waiting = owner === 'restore' ? await waitingRestores(db) : new Set<number>();
      for (const { id, node_id: nodeId } of rows) if (!waiting.has(id)) runs.push({ owner, id, nodeId });
    }
    return runs;
  },

  /** Open commands whose run somebody asked to stop. */
  async cancelRequested(db: Db): Promise<number[]> {
    const rows = await db
      .selectFrom('commands')
      .leftJoin('records', 'records.id', 'commands.record_id')
      .leftJoin('restore_records', 'restore_records.id', 'commands.restore_record_id')
      .leftJoin('maintenance_records', 'maintenance_records.id', 'commands.maintenance_record_id')
      .leftJoin('verify_records', 'verify_records.id', 'commands.verify_record_id')
      .select('commands.id')
      .where('commands.state', '=', 'dispatched')
      .where(({ or, eb }) =>
        or([
          eb('records.cancel_requested', '=', 1),
          eb('restore_records.cancel_requested', '=', 1),
          eb('maintenance_records.cancel_requested', '=', 1),
          eb('verify_records.cancel_requested', '=', 1),
        ]),
      )
      .execute();
    return rows.map((row) => row.id);
  },

  /** Rows per state, for the metrics. */
  async countByState(db: Db): Promise<Map<string, number>> {
    const rows = await db
      .selectFrom('commands')
      .select(({ fn }) => ['state', fn.countAll<number>().as('total')])
      .groupBy('state')
      .execute();
    return new Map(rows.map((row) => [row.state, Number(row.total)]));
  },

  async purgeEndedBefore(db: Db, before: string): Promise<number> {
    const done = await db
      .deleteFrom('commands')
      .where('state', 'in', ['succeeded', 'failed', 'timeout'])
      .where('last_activity_at', '<', before)
      .executeTakeFirst();
    return Number(done.numDeletedRows);
  },
};
