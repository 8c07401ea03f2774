/** The part of a list that was asked for. */
import type { SelectQueryBuilder } from 'kysely';

export interface ListWindow {
  /** Starts at 1. Missing together with `pageSize`: the whole list. */
  readonly page?: number | undefined;
  readonly pageSize?: number | undefined;
}

export const DEFAULT_PAGE_SIZE = 50;

/** True when the caller asked for a page; otherwise small lists are answered as a bare array. */
export function isPaged(window: ListWindow): boolean {
  return window.page !== undefined || window.pageSize !== undefined;
}

/** Applies page and page size; a list without either stays whole. */
export function windowOf<D, T extends keyof D, O>(
  query: SelectQueryBuilder<D, T, O>,
  window: ListWindow,
): SelectQueryBuilder<D, T, O> {
  if (!isPaged(window)) return query;
  const size = window.pageSize ?? DEFAULT_PAGE_SIZE;
  return query.limit(size).offset(((window.page ?? 1) - 1) * size);
}
