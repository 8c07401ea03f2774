/* biome-ignore-all lint/a11y/noRedundantRoles: `display: block` takes the roles away, so they are spelt out */
import type { ReactNode } from 'react';
export interface Column<T> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: T) => ReactNode;
  /** The cell that stands first and full width when rows become cards. */
  readonly lead?: boolean;
  /** Hidden below this width; the same facts are on the row's own page. */
  readonly hideBelow?: 'lg' | 'xl';
  readonly end?: boolean;
  /** Short facts that read badly when broken: times, sizes. */
  readonly nowrap?: boolean;
  /** No heading is drawn, only read out. */
  readonly quiet?: boolean;
}

const hidden = { lg: 'max-lg:sm:hidden', xl: 'max-xl:sm:hidden' } as const;

/** A real table that turns into cards below 640 px. Roles are spelt out because `display: block` takes them away. */
export function DataTable<T>({
  label,
  columns,
  rows,
  rowKey,
}: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string | number;
}) {
  const width = (column: Column<T>) => (column.hideBelow ? hidden[column.hideBelow] : '');
  return (
    <table role="table" aria-label={label} className="data-table w-full border-collapse">
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th
              key={column.id}
              role="columnheader"
              scope="col"
              className={`${width(column)} ${column.end ? 'text-right!' : ''}`}
            >
              <span className={column.quiet ? 'sr-only' : ''}>{column.title}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={rowKey(row)} role="row">
            {columns.map((column) => (
              <td
                key={column.id}
                role="cell"
                className={`${column.lead ? 'cell-lead' : ''} ${width(column)} ${column.end ? 'sm:text-right' : ''} ${column.nowrap ? 'sm:whitespace-nowrap' : ''}`}
              >
                {!column.lead && !column.quiet && (
                  <span className="cell-label" aria-hidden="true">
                    {column.title}
                  </span>
                )}
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Makes the whole row react to its link without hiding other buttons in it. */
export const rowLink = 'font-medium text-ink after:absolute after:inset-0 hover:underline [overflow-wrap:anywhere]';
