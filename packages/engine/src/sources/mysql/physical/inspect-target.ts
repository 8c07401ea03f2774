/** What a restore would replace: the content of a data folder, on which perhaps a server runs. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { listeningPorts } from '../../../ports/listening-ports.ts';
import { placeToKeep } from '../../../ports/place-to-keep.ts';
import type { TargetContext, TargetInspection } from '../../../ports/source.ts';
import type { PhysicalConfig, PhysicalRestoreOptions } from './physical-settings.ts';
import { serverOn } from './running-server.ts';
import { itemsOf, notesOfKept } from './staged-data.ts';

const NO_BACKUP = 'No backup of it is made before: a server that is stopped cannot be backed up.';
const REMOVED =
  'What is in the folder stays until the restored files are whole; then it is removed. Copy it, or run the task while the server still runs, if it may be wanted back.';

/** Throws RESTORE_TARGET_INVALID. */
export async function inspectTarget(config: PhysicalConfig, context: TargetContext): Promise<TargetInspection> {
  const options = context.options as PhysicalRestoreOptions;
  const folder = options.dataFolder || config.dataFolder;
  if (folder === '') {
    throw new AppError('RESTORE_TARGET_INVALID', {
      path: '(none)',
      reason: 'say which data folder the server will use',
    });
  }
  const names = statSync(folder, { throwIfNoEntry: false }) ? itemsIn(folder) : [];
  const found = { name: folder, sizeBytes: null, canBeSaved: false };
  const notes = notesOfKept(folder);
  if (names.length === 0) return { server: '', databases: [{ ...found, exists: false, sessions: [] }], notes };
  const pid = serverOn(realpathSync(folder));
  if (pid !== null) notes.unshift(`Process ${pid} is a server that runs on ${folder}: stop it first.`);
  const kept = options.keepReplaced ? placeToKeep(realpathSync(folder)) : null;
  // The time is that of the restore, which is not yet known.
  const keptAs = kept?.replace(/\d{14}$/, '<time>');
  // Otherwise it stops the restore.
  if (options.replaceExisting) {
    const fate = keptAs === undefined ? REMOVED : `What is in the folder is kept as ${keptAs} until you remove it.`;
    notes.push(fate, NO_BACKUP);
  }
  return { server: '', databases: [{ ...found, exists: true, sessions: pid === null ? [] : [sessionOf(pid)] }], notes };
}

function itemsIn(folder: string): string[] {
  try {
    return itemsOf(readdirSync(folder));
  } catch (error) {
    throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: (error as Error).message }, { cause: error });
  }
}

function sessionOf(pid: number) {
  const ports = listeningPorts(pid);
  const address = ports.length === 0 ? '' : `port ${ports.join(', ')}`;
  return { id: String(pid), user: '', address, program: nameOf(pid), since: null };
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'a server';
  }
}
