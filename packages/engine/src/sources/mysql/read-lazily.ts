import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { MysqlConfig } from './settings.ts';

/** The reading half, loaded by the threads that back up databases of this kind. */
export async function* readDatabases(config: MysqlConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-databases.ts')).readDatabases(config, context);
}
