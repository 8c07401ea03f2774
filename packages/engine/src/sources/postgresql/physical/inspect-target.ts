/** What a restore would replace: the content of a data directory, in which perhaps a server runs. */
import { AppError } from '@backupx/contracts/errors';
import type { TargetContext, TargetInspection } from '../../../ports/source.ts';
import { placesToKeep } from './places-to-keep.ts';
import { restoreSchema } from './settings.ts';
import { contentOf } from './staged-folder.ts';
import { serverIn } from './target-folder.ts';

const NO_BACKUP = 'No backup of it is made before: a server that is stopped cannot be backed up.';
const REMOVED =
  'What is in the directory stays until the restored files are whole; then it is removed, with those of its tablespaces that the backup has. Copy it, or run the task while the server still runs, if it may be wanted back.';

/** Throws RESTORE_TARGET_INVALID. */
export async function inspectTarget(context: TargetContext): Promise<TargetInspection> {
  const { dataFolder, replaceExisting, keepReplaced } = restoreSchema.parse(context.options);
  if (dataFolder === '') {
    throw new AppError('RESTORE_TARGET_INVALID', { path: '(none)', reason: 'name the data directory to restore into' });
  }
  const found = { name: dataFolder, sizeBytes: null, canBeSaved: false };
  if (namesIn(dataFolder).length === 0) {
    return { server: '', databases: [{ ...found, exists: false, sessions: [] }] };
  }
  const server = serverIn(dataFolder);
  // Otherwise it stops the restore.
  const notes = replaceExisting ? [wordsOfKeeping(dataFolder, keepReplaced), NO_BACKUP] : [];
  if (!server) return { server: '', databases: [{ ...found, exists: true, sessions: [] }], notes };
  const address = server.port === null ? '' : `port ${server.port}`;
  const session = { id: String(server.pid), user: '', address, program: 'postgres', since: null };
  const running = `Process ${server.pid} is a server that runs in ${dataFolder}: stop it first.`;
  return { server: '', databases: [{ ...found, exists: true, sessions: [session] }], notes: [running, ...notes] };
}

function wordsOfKeeping(folder: string, isWanted: boolean): string {
  // The time is that of the restore, which is not yet known.
  const kept = isWanted ? placesToKeep(folder)?.(folder).replace(/\d{14}$/, '<time>') : undefined;
  return kept === undefined
    ? REMOVED
    : `What is in the directory is kept as ${kept} until you remove it, and tablespaces beside their places.`;
}

function namesIn(folder: string): string[] {
  try {
    return contentOf(folder);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: (error as Error).message }, { cause: error });
  }
}
