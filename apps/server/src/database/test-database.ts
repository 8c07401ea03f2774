/** A migrated database for store tests; the same suites run on every dialect. */
import { type OpenDatabase, openDatabase } from './open-database.ts';

/** In memory unless `path` is given. Close it at the end of the test. */
export function createTestDatabase(path = ':memory:'): Promise<OpenDatabase> {
  return openDatabase({ path });
}
