/** Making tables the same way in every migration and on both databases. Frozen: released migrations rely on it. */
import { type CreateTableBuilder, type Kysely, PostgresAdapter } from 'kysely';

export type AnyDb = Kysely<unknown>;
type Columns = Readonly<Record<string, string>>;

/**
 * `columns` maps a name to one of our short types: `text`, `text?` (nullable), `int`, `int?`, `big` (bytes, counters).
 * Ids are never reused, because artifacts and agents remember them.
 */
export function makeTable(
  db: AnyDb,
  name: string,
  options: { id: boolean },
  columns: Columns,
): CreateTableBuilder<string, string> {
  let builder = db.schema.createTable(name) as CreateTableBuilder<string, string>;
  if (options.id) builder = addId(db, builder);
  for (const [column, kind] of Object.entries(columns)) {
    const type = kind.startsWith('text') ? 'text' : kind.startsWith('big') ? 'bigint' : 'integer';
    builder = builder.addColumn(column, type, (definition) =>
      kind.endsWith('?') ? definition : definition.notNull(),
    ) as CreateTableBuilder<string, string>;
  }
  return builder;
}

function addId(db: AnyDb, builder: CreateTableBuilder<string, string>): CreateTableBuilder<string, string> {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  return (
    isPostgres
      ? builder.addColumn('id', 'bigserial', (id) => id.primaryKey())
      : builder.addColumn('id', 'integer', (id) => id.primaryKey().autoIncrement())
  ) as CreateTableBuilder<string, string>;
}
