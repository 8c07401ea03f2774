/** A restore: into files below a folder when somebody wants those, else into a server. */
import { FolderRestore } from '../../ports/folder-restore.ts';
import type { RestoreContext, RestoreSession } from '../../ports/source.ts';
import { pathBelow } from './path-below.ts';
import { ServerRestore } from './server-restore.ts';
import { type PostgresqlConfig, restoreSchema } from './settings.ts';

/** Throws RESTORE_TARGET_INVALID, DATABASE_*. */
export async function openRestoreSession(config: PostgresqlConfig, context: RestoreContext): Promise<RestoreSession> {
  const { targetPath } = context;
  if (targetPath !== null) return new FolderRestore(targetPath, context, pathBelow);
  return await ServerRestore.open(config, restoreSchema.parse(context.options), context);
}
