import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { MongodbConfig } from './settings.ts';

/** The reading half, loaded by the threads that back up databases of this kind. */
export async function* readDatabases(config: MongodbConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-databases.ts')).readDatabases(config, context);
}
