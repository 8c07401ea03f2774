/** SQL of the audit log: appended, read newest first, never changed. */
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { AuditLogTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { DEFAULT_PAGE_SIZE, type ListWindow } from './list-window.ts';

type Db = Kysely<Tables>;
export type AuditRow = Selectable<AuditLogTable>;

export interface AuditFilter extends ListWindow {
  readonly action?: string | undefined;
  readonly username?: string | undefined;
  readonly q?: string | undefined;
}

export const auditLogStore = {
  async append(db: Db, values: Insertable<AuditLogTable>): Promise<void> {
    await db.insertInto('audit_log').values(values).execute();
  },

  async list(db: Db, filter: AuditFilter): Promise<{ rows: AuditRow[]; total: number }> {
    let query = db.selectFrom('audit_log');
    if (filter.action) query = query.where('action', '=', filter.action);
    if (filter.username) query = query.where('username', '=', filter.username);
    if (filter.q) query = query.where(containsText('target', filter.q));
    const size = filter.pageSize ?? DEFAULT_PAGE_SIZE;
    const rows = await query
      .selectAll()
      .orderBy('id', 'desc')
      .limit(size)
      .offset(((filter.page ?? 1) - 1) * size)
      .execute();
    const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    return { rows, total: Number(total) };
  },

  /** Entries before `time` go; answers how many. */
  async removeBefore(db: Db, time: string): Promise<number> {
    const done = await db.deleteFrom('audit_log').where('at', '<', time).executeTakeFirst();
    return Number(done.numDeletedRows);
  },
};
