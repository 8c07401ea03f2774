import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { SqliteConfig } from './config.ts';

/** The reading half, loaded by the first backup that needs it. Throws as `readEntries` does. */
export async function* readDatabases(config: SqliteConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-databases.ts')).readEntries(config, context);
}
