/** Case-insensitive "contains" for search fields, with LIKE's wildcards taken literally; the same on both databases. */
import { type RawBuilder, type SqlBool, sql } from 'kysely';

/** `column` is written into the statement as a reference, `text` as a parameter. */
export function containsText(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, (character) => `\\${character}`)}%`;
  return sql<SqlBool>`lower(${sql.ref(column)}) like ${pattern} escape '\\'`;
}
