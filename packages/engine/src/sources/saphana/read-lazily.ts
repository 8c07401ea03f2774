import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import type { HanaConfig } from './config.ts';

/** The reading half, loaded by the first backup that needs it. Throws as `readBackups` does. */
export async function* readHana(config: HanaConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-backups.ts')).readBackups(config, context);
}
