import type { BackupContext, SourceEntry } from '../../../ports/source.ts';
import type { PhysicalConfig } from './settings.ts';

/** The reading half, loaded by the runs that need it. See `read-cluster.ts`. */
export async function* readCluster(config: PhysicalConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const reading = await import('./read-cluster.ts');
  yield* reading.readCluster(config, context);
}
