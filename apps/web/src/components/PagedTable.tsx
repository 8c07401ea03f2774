import type { ReactNode } from 'react';
import { Card } from '../ui/Card.tsx';
import { type Column, DataTable } from '../ui/DataTable.tsx';
import { LoadMore } from './LoadMore.tsx';
import { QueryView } from './QueryView.tsx';

interface PagedQuery<T> {
  readonly data: { readonly pages: readonly { readonly items: readonly T[] }[] } | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  readonly refetch: () => unknown;
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  readonly fetchNextPage: () => unknown;
}

/** A list that comes page by page, in a card of its own. */
export function PagedTable<T extends { readonly id: number }>({
  query,
  columns,
  label,
  title,
  empty,
  loadingRows = 6,
}: {
  query: PagedQuery<T>;
  columns: readonly Column<T>[];
  label: string;
  title?: string;
  /** What stands there when there is nothing. */
  empty: ReactNode;
  loadingRows?: number;
}) {
  return (
    <Card title={title} flush>
      <QueryView query={query} rows={loadingRows}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          if (rows.length === 0) return empty;
          return (
            <>
              <DataTable label={label} columns={columns} rows={rows} rowKey={(row) => row.id} />
              <LoadMore query={query} />
            </>
          );
        }}
      </QueryView>
    </Card>
  );
}
