/** A restore: into files below a folder when somebody wants those, else into a data directory. */
import { FolderRestore } from '../../../ports/folder-restore.ts';
import type { RestoreContext, RestoreSession } from '../../../ports/source.ts';
import { ClusterRestore } from './cluster-restore.ts';
import { artifactPathOf, CONFIG, INVENTORY, MANIFEST, placeOf, ROOT } from './entry-paths.ts';
import { type PhysicalConfig, restoreSchema } from './settings.ts';

/** Throws RESTORE_TARGET_INVALID, INVALID_INPUT, DATABASE_EXISTS, DATABASE_IN_USE. */
export async function openRestoreSession(_config: PhysicalConfig, context: RestoreContext): Promise<RestoreSession> {
  const { targetPath } = context;
  if (targetPath !== null) return new FolderRestore(targetPath, context, pathBelow);
  return await ClusterRestore.open(restoreSchema.parse(context.options), context);
}

/** Made from what the entry stands for, not from its text. */
function pathBelow(entryPath: Uint8Array): string | null {
  const place = placeOf(entryPath);
  if (!place) return null;
  if (place.kind === 'manifest') return `${ROOT}/${MANIFEST}`;
  if (place.kind === 'inventory') return `${ROOT}/${INVENTORY}`;
  if (place.kind === 'config') return `${ROOT}/${CONFIG}/${place.path}`;
  return Buffer.from(artifactPathOf(place.path), 'latin1').toString('utf8');
}
