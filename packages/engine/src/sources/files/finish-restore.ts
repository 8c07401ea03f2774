import { renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import { applyToFolder, unpackMetadata } from './apply-metadata.ts';
import { joinPath, toBytes } from './byte-paths.ts';
import { isMissing, reasonOf } from './errno.ts';
import type { FolderChain } from './folder-chain.ts';
import type { JournalRecord } from './restore-journal.ts';
import { namesOf, type Place } from './restore-places.ts';
import { chainOf, placeKey, type RestoreState, temporaryName } from './restore-state.ts';

interface Located extends Place {
  readonly chain: FolderChain;
}

/** Stands in the folder of a recorded item again, with the same care as when it was made. */
function locate(record: JournalRecord, state: RestoreState): Located {
  const place = placeOf(record);
  const chain = chainOf(state.chains, record);
  chain.enter(place.folder);
  return { chain, ...place };
}

function placeOf({ base, place }: JournalRecord): Place {
  const folder = place.split('/');
  const name = folder.pop() ?? '';
  return { base, folder, name };
}

function reportAt(record: JournalRecord, code: 'write_failed' | 'metadata', message: string, state: RestoreState) {
  const base = state.places.bases[record.base] ?? '/';
  state.context.problem({ path: displayPath(toBytes(joinPath(base, record.place))), code, message });
}

/** Puts staged items in place, then sets the metadata of folders, deepest first. */
export function commitJournal(state: RestoreState): void {
  for (const record of state.journals.staged.forwards()) {
    try {
      const { chain, ...place } = locate(record, state);
      renameSync(chain.pathOf(temporaryName(place)), chain.pathOf(place.name));
      noteGone(place, state);
    } catch (error) {
      state.counts.itemsWritten -= 1;
      if (!isGone(record, error, state)) reportAt(record, 'write_failed', reasonOf(error), state);
    }
  }
  for (const record of state.journals.folders.backwards()) {
    if (record.kind === 'metadata') setFolderMetadata(record, state);
  }
}

function noteGone(place: Place, { stagedAgain }: RestoreState): void {
  if (stagedAgain.size > 0 && stagedAgain.has(placeKey(place))) stagedAgain.set(placeKey(place), 'gone');
}

/** True for a further record of a name that came more than once: its item went with the first. */
function isGone(record: JournalRecord, error: unknown, { stagedAgain }: RestoreState): boolean {
  return stagedAgain.size > 0 && isMissing(error) && stagedAgain.get(placeKey(placeOf(record))) === 'gone';
}

function setFolderMetadata(record: JournalRecord, state: RestoreState): void {
  try {
    const { chain, ...place } = locate(record, state);
    chain.enter(namesOf(place));
    const failures = applyToFolder(chain.textPathOf('.'), unpackMetadata(record.data ?? '{}'), state.owners);
    if (failures.length > 0) reportAt(record, 'metadata', failures.join('; '), state);
  } catch (error) {
    reportAt(record, 'metadata', reasonOf(error), state);
  }
}

/** Removes everything this restore made, folders last. What cannot be removed stays and is logged. */
export function rollBackJournal(state: RestoreState): void {
  const { created, staged, folders } = state.journals;
  let left = 0;
  for (const journal of [created, staged, folders]) {
    for (const record of journal.backwards()) {
      if (record.kind !== 'metadata' && !isUndone(record, state)) left += 1;
    }
  }
  if (left > 0) state.context.log('warn', `${left} item(s) of the undone restore could not be removed.`);
}

function isUndone(record: JournalRecord, state: RestoreState): boolean {
  try {
    const { chain, ...place } = locate(record, state);
    const { name } = place;
    if (record.kind === 'folder') rmdirSync(chain.pathOf(name));
    else if (record.kind === 'created') unlinkSync(chain.pathOf(name));
    else {
      unlinkSync(chain.pathOf(temporaryName(place)));
      noteGone(place, state);
    }
    return true;
  } catch (error) {
    return record.kind === 'staged' && isGone(record, error, state);
  }
}
