/**
 * Puts files back. What is new is made under a temporary name and renamed at once, so a killed restore never leaves a
 * half file under its real name; what would replace something waits beside it under the temporary name until `commit`.
 * Folders get their metadata last, deepest first, because writing into them changes it.
 */
import { randomUUID } from 'node:crypto';
import { accessSync, constants, mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { cancelledError } from '../../ports/pull-body.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { type BytePath, fromText, toBytes } from './byte-paths.ts';
import { errnoOf, reasonOf } from './errno.ts';
import { commitJournal, rollBackJournal } from './finish-restore.ts';
import { FolderChain } from './folder-chain.ts';
import { makeFolders } from './make-folders.ts';
import { readOwnerNames } from './owner-names.ts';
import { type RestoreState, restoreItem } from './restore-item.ts';
import { openJournals } from './restore-journal.ts';
import { createPlaceMap } from './restore-places.ts';

/** File systems stamp with the time of the last timer tick, which may lie a little before the clock's. */
const CLOCK_TICK_MS = 20;

/**
 * Opens a restore of the files source. Throws RESTORE_TARGET_INVALID when the target folder cannot be used.
 * `sourcePaths`: the paths of the task, which decide where things go (`restore-places.ts`).
 */
export async function openRestoreSession(
  sourcePaths: readonly string[],
  context: RestoreContext,
): Promise<RestoreSession> {
  const target = context.targetPath === null ? null : prepareTarget(context.targetPath);
  const places = createPlaceMap(sourcePaths, target?.path ?? null);
  mkdirSync(context.tempDir, { recursive: true, mode: 0o700 });
  const openChain = (base: BytePath, index: number) => new FolderChain(base, places.mayFollowFirst[index] ?? false);
  const state: RestoreState = {
    context,
    places,
    chains: places.bases.map((base, index) => openChain(base, index)),
    linkChains: places.bases.map((base, index) => openChain(base, index)),
    journals: openJournals(path.join(context.tempDir, `restore-${randomUUID()}`)),
    owners: readOwnerNames(),
    wanted: context.paths,
    counts: { itemsWritten: 0, bytesWritten: 0, itemsSkipped: 0 },
    startedAtNs: BigInt(systemClock.now().getTime() - CLOCK_TICK_MS) * 1_000_000n,
  };
  let isOpen = true;
  const end = () => {
    isOpen = false;
    for (const chain of [...state.chains, ...state.linkChains]) chain.close();
    for (const journal of Object.values(state.journals)) journal.discard();
  };
  return {
    async write(entry: RestoreEntry) {
      if (context.signal.aborted) throw cancelledError(context.signal);
      await restoreItem(entry, state);
    },
    async commit(): Promise<RestoreOutcome> {
      commitJournal(state);
      end();
      return { ...state.counts };
    },
    async rollback() {
      if (!isOpen) return;
      rollBackJournal(state);
      end();
      if (target?.isNew) removeEmpty(target.path);
    },
  };
}

/** Makes the target folder when it is missing and resolves links in its path: these the user chose. */
function prepareTarget(targetPath: string): { path: BytePath; isNew: boolean } {
  const invalid = (reason: string, cause?: unknown) =>
    new AppError('RESTORE_TARGET_INVALID', { path: targetPath, reason }, { cause });
  if (!path.isAbsolute(targetPath) || targetPath.includes('\0')) throw invalid('it is not an absolute path');
  try {
    const isNew = makeFolders(fromText(path.posix.normalize(targetPath)));
    if (!statSync(targetPath).isDirectory()) throw invalid('it is not a folder');
    accessSync(targetPath, constants.W_OK | constants.X_OK);
    return { path: fromText(realpathSync(targetPath)), isNew };
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = ['EEXIST', 'ENOTDIR'].includes(errnoOf(error)) ? 'it is not a folder' : reasonOf(error);
    throw invalid(reason, error);
  }
}

function removeEmpty(folder: BytePath): void {
  try {
    rmdirSync(toBytes(folder));
  } catch {
    // Someone else put something into it meanwhile: then it stays.
  }
}
