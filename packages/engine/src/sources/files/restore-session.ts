/**
 * Puts files back. What is new is made under a temporary name and renamed at once, or has a mode that says it is not whole
 * (`unfinished-file.ts`), so half a file that a killed restore left is never taken for a whole one; what would replace
 * something waits beside it under the temporary name until `commit`.
 * Content that was verified before it came (`isVerified`) waits for nothing: each item replaces what is there as soon as
 * it is whole. Folders get their metadata last, deepest first, because writing into them changes it.
 */
import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { parseDisplayPath } from '../../ports/display-path.ts';
import { cancelledError } from '../../ports/pull-body.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { type BytePath, fromText, toBytePath, toBytes } from './byte-paths.ts';
import { errnoOf, reasonOf } from './errno.ts';
import { commitJournal, rollBackJournal } from './finish-restore.ts';
import { FolderChain } from './folder-chain.ts';
import { Leftovers } from './leftovers.ts';
import { makeFolders } from './make-folders.ts';
import { openRestoreFile } from './open-restore-file.ts';
import { readOwnerNames } from './owner-names.ts';
import { restoreItem } from './restore-item.ts';
import { openJournals } from './restore-journal.ts';
import { createPlaceMap } from './restore-places.ts';
import { type RestoreState, TEMP_PREFIX } from './restore-state.ts';
import { SmallContent } from './small-content.ts';

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
  const target = context.targetPath === null ? null : prepareTarget(context.targetPath, context.isDryRun === true);
  const places = createPlaceMap(sourcePaths, target?.path ?? null);
  mkdirSync(context.tempDir, { recursive: true, mode: 0o700 });
  const openChains = () =>
    places.bases.map((base, index) => new FolderChain(base, places.mayFollowFirst[index] ?? false));
  const state: RestoreState = {
    context,
    places,
    chains: openChains(),
    linkChains: openChains(),
    pieceChains: openChains(),
    journals: openJournals(path.join(context.tempDir, `restore-${randomUUID()}`)),
    owners: readOwnerNames(),
    lastFolder: { path: '', place: null },
    leftovers: new Leftovers(TEMP_PREFIX, context.isVerified === true),
    smallContent: new SmallContent(),
    wanted: context.paths?.map(toWanted) ?? null,
    counts: { itemsWritten: 0, bytesWritten: 0, itemsSkipped: 0, foreseen: 0 },
    stagedAgain: new Map(),
    startedAtNs: BigInt(systemClock.now().getTime() - CLOCK_TICK_MS) * 1_000_000n,
  };
  let isOpen = true;
  const end = () => {
    isOpen = false;
    state.leftovers.removeRest(state.chains);
    for (const chain of [...state.chains, ...state.linkChains, ...state.pieceChains]) chain.close();
    for (const journal of Object.values(state.journals)) journal.discard();
  };
  return {
    usesContentAtOnce: true,
    async write(entry: RestoreEntry) {
      if (context.signal.aborted) throw cancelledError(context.signal);
      await restoreItem(entry, state);
    },
    openFile(entry) {
      if (context.signal.aborted) throw cancelledError(context.signal);
      return openRestoreFile(entry, state);
    },
    async commit(): Promise<RestoreOutcome> {
      // Before folders get their times and modes, which this changes and which may forbid it.
      state.leftovers.removeRest(state.chains);
      commitJournal(state);
      end();
      const { itemsWritten, bytesWritten, itemsSkipped } = state.counts;
      return { itemsWritten, bytesWritten, itemsSkipped };
    },
    async rollback() {
      if (!isOpen) return;
      if (!context.isVerified) rollBackJournal(state);
      end();
      if (target?.isNew) removeEmpty(target.path);
    },
  };
}

/** As the user wrote it, without slashes at its end. */
function toWanted(path: string): BytePath {
  return toBytePath(parseDisplayPath(path.length > 1 ? path.replace(/\/+$/, '') : path));
}

/** Makes the target folder when it is missing and resolves links in its path: these the user chose. */
function prepareTarget(targetPath: string, isDryRun: boolean): { path: BytePath; isNew: boolean } {
  const invalid = (reason: string, cause?: unknown) =>
    new AppError('RESTORE_TARGET_INVALID', { path: targetPath, reason }, { cause });
  if (!path.isAbsolute(targetPath) || targetPath.includes('\0')) throw invalid('it is not an absolute path');
  try {
    const normal = path.posix.normalize(targetPath);
    if (isDryRun && !existsSync(normal)) return { path: fromText(normal), isNew: false };
    const isNew = makeFolders(fromText(normal));
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
