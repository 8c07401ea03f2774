/** SQL of log text, kept in pieces in order of their ids; `record-reporter` decides what is kept. */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;
export type LogOwner = 'record' | 'restore' | 'maintenance' | 'verify';

export const recordLogsStore = {
  async append(db: Db, owner: LogOwner, ownerId: number, text: string): Promise<number> {
    const row = await db
      .insertInto('record_logs')
      .values({ owner, owner_id: ownerId, text })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  },

  /** Pieces after a piece id, oldest first. */
  async piecesAfter(
    db: Db,
    owner: LogOwner,
    ownerId: number,
    page: { afterId: number; limit: number },
  ): Promise<{ id: number; text: string }[]> {
    return await piecesQuery(db, owner, ownerId, page).execute();
  },

  /** Length of each piece in characters, oldest first. */
  async lengths(db: Db, owner: LogOwner, ownerId: number): Promise<{ id: number; length: number }[]> {
    return await db
      .selectFrom('record_logs')
      .select(({ fn }) => ['id', fn<number>('length', ['text']).as('length')])
      .where('owner', '=', owner)
      .where('owner_id', '=', ownerId)
      .orderBy('id')
      .execute();
  },

  /** The last pieces that fit into `maxCharacters`, as one text. */
  async readEnd(db: Db, owner: LogOwner, ownerId: number, maxCharacters: number): Promise<string> {
    const lengths = await recordLogsStore.lengths(db, owner, ownerId);
    let total = 0;
    let afterId = 0;
    for (const piece of lengths.toReversed()) {
      total += Number(piece.length);
      if (total > maxCharacters) {
        afterId = piece.id;
        break;
      }
    }
    const pieces = await recordLogsStore.piecesAfter(db, owner, ownerId, { afterId, limit: lengths.length + 1 });
    return pieces.map((piece) => piece.text).join('');
  },

  async removePieces(db: Db, ids: readonly number[]): Promise<void> {
    if (ids.length > 0) await db.deleteFrom('record_logs').where('id', 'in', ids).execute();
  },

  async removeAll(db: Db, owner: LogOwner, ownerId: number): Promise<void> {
    await db.deleteFrom('record_logs').where('owner', '=', owner).where('owner_id', '=', ownerId).execute();
  },
};

/** Exported for the test that looks at its query plan. */
export function piecesQuery(db: Db, owner: LogOwner, ownerId: number, page: { afterId: number; limit: number }) {
  return db
    .selectFrom('record_logs')
    .select(['id', 'text'])
    .where('owner', '=', owner)
    .where('owner_id', '=', ownerId)
    .where('id', '>', page.afterId)
    .orderBy('id')
    .limit(page.limit);
}
