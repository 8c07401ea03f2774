import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { RedisConfig } from './config.ts';

/** The reading half, loaded by the first backup that needs it. Throws as `readEntries` does. */
export async function* readRedis(config: RedisConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-dump.ts')).readEntries(config, context);
}
