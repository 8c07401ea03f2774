import type { BackupContext, SourceEntry } from '../../../ports/source.ts';
import { folderEntry } from '../../../ports/stream-entry.ts';
import { DATA_FOLDER, ROOT } from './paths.ts';
import type { PhysicalConfig } from './physical-settings.ts';

/** The reading half, loaded by the threads that make physical backups. */
export async function* readServer(config: PhysicalConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  yield* (await import('./read-server.ts')).readServer(config, context);
}

/** Files come in the order of the program, which enters folders more than once: they are told beforehand. */
export function* physicalFolders(): Generator<SourceEntry> {
  const modifiedAt = new Date(0);
  for (const path of [ROOT, DATA_FOLDER]) yield folderEntry({ path, modifiedAt });
}
