/** Pages of records, newest first: by number for tables, by cursor for everything that walks a long list. */
import { AppError } from '@backupx/contracts/errors';
import { COUNT_LIMIT } from './records.store.ts';

export interface PageQuery {
  readonly page?: number | undefined;
  readonly pageSize?: number | undefined;
  readonly cursor?: string | undefined;
}

const DEFAULT_PAGE_SIZE = 50;

/** Throws INVALID_INPUT for a cursor that is none of ours. */
export function recordWindow(query: PageQuery): { before?: number | undefined; limit: number; offset: number } {
  const limit = query.pageSize ?? DEFAULT_PAGE_SIZE;
  if (query.cursor === undefined || query.cursor === '') return { limit, offset: ((query.page ?? 1) - 1) * limit };
  if (!/^\d{1,10}$/.test(query.cursor)) {
    const fields = [{ path: 'cursor', code: 'invalid', message: 'send the nextCursor of the page before' }];
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  return { before: Number(query.cursor), limit, offset: 0 };
}

/** `total` is exact up to 10,000 and one more than that for anything longer. */
export function recordPage<R extends { id: number }, T>(
  found: { items: readonly R[]; total: number },
  limit: number,
  answer: (row: R) => T,
): { items: T[]; total: number; nextCursor?: string } {
  const last = found.items.at(-1);
  const hasMore = found.items.length === limit && last !== undefined;
  return {
    items: found.items.map(answer),
    total: Math.min(found.total, COUNT_LIMIT + 1),
    ...(hasMore ? { nextCursor: String(last.id) } : {}),
  };
}
