import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { PostgresqlConfig } from './settings.ts';

/** The reading half, loaded by the runs that need it: every backup of files passes here too. See `read-databases.ts`. */
export async function* readDatabases(config: PostgresqlConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const reading = await import('./read-databases.ts');
  yield* reading.readDatabases(config, context);
}
