/**
 * A data folder on its way: files come into a folder inside of the place, are made ready there, and take the place when
 * all of it is good. What was in the place is moved aside and goes last, so that a restore that breaks, also by a kill,
 * leaves the old data or the new, and the next restore clears up:
 *
 *     .backupx-new-…   files that come                  removed by the next restore
 *     .backupx-old-…   what was there, as it moves out  moved back by the next restore
 *     .backupx-swap-…  all of it, new files move in     the same, and what has moved in is removed; but when all is in
 *                                                       place already it is kept: a server may have run since
 *     .backupx-gone-…  all of it, all new is in place   removed by the next restore
 *     .backupx-kept-…  the same, and it is to be kept   stays: it is on its way out, or could not be moved there
 */
import { randomBytes } from 'node:crypto';
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, threadMark } from '../../../ports/process-mark.ts';
import { syncPath } from '../../../ports/sync-path.ts';
import { serverOn } from './running-server.ts';
import { attempt, invalid, OWN, writeBelow } from './write-below.ts';

/** What a file system has by itself at its top. */
const IGNORED = new Set(['lost+found']);
/** Without these no server starts, so they come last and go first. */
const DECIDING = new Set(['mysql', 'mysql.ibd']);

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface StageOptions {
  readonly folder: string;
  readonly replaceExisting: boolean;
}

/** See above. Synchronous file calls: for threads that work. */
export class StagedData {
  readonly folder: string;
  readonly #id = `${threadMark}-${randomBytes(6).toString('hex')}`;
  readonly #isNew: boolean;
  #owner: Owner | null = null;

  private constructor(folder: string, isNew: boolean) {
    this.folder = folder;
    this.#isNew = isNew;
  }

  /** Throws RESTORE_TARGET_INVALID, DATABASE_EXISTS, DATABASE_IN_USE. */
  static open(options: StageOptions): StagedData {
    const { folder, isNew, owner } = prepareFolder(options);
    const staged = new StagedData(folder, isNew);
    staged.#owner = owner;
    attempt(folder, () => mkdirSync(staged.stage, { mode: 0o700 }));
    return staged;
  }

  /** Where files are while they come. */
  get stage(): string {
    return join(this.folder, `.backupx-new-${this.#id}`);
  }

  /** Who owned the folder before; null: it was not there. */
  get owner(): Owner | null {
    return this.#owner;
  }

  /** Writes one file below the stage; answers its size. */
  async write(path: string, content: AsyncIterable<Uint8Array>): Promise<number> {
    return await writeBelow(this.stage, path, content);
  }

  /**
   * Puts everything in place. `keepAs`: where what was there goes; answers where it is, null: nowhere. Throws like `open`
   * when somebody began to use the folder meanwhile.
   */
  place(options: StageOptions, keepAs: string | null = null): string | null {
    // Of one that was killed since this restore was opened.
    attempt(this.folder, () => undoSwap(this.folder));
    assertFree(this.folder, options);
    const isKept = keepAs !== null && itemsIn(this.folder).length > 0;
    const at = (kind: string) => join(this.folder, `.backupx-${kind}-${this.#id}`);
    attempt(this.folder, () => {
      beginSwap(this.folder, at('old'));
      try {
        moveAll(this.folder, at('old'), decidingLast(itemsIn(this.folder)).toReversed());
        step(this.folder, at('old'), at('swap'));
        moveAll(this.stage, this.folder, decidingLast(readdirSync(this.stage)));
        step(this.folder, at('swap'), at(isKept ? 'kept' : 'gone'));
      } catch (error) {
        putBack(this.folder);
        throw error;
      }
    });
    for (const path of [this.stage, at('gone')]) removeIfPossible(path);
    return isKept ? keep(at('kept'), keepAs, this.#owner) : null;
  }

  /** Removes what came. */
  rollback(): void {
    rmSync(this.stage, { recursive: true, force: true });
    if (this.#isNew && readdirSync(this.folder).length === 0) rmSync(this.folder, { recursive: true });
  }
}

/** The new data is in place: nothing throws any more. The next restore tries again. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // See above.
  }
}

/** Where it cannot be moved it stays. */
function keep(kept: string, keepAs: string, owner: Owner | null): string {
  try {
    renameSync(kept, keepAs);
    syncPath(dirname(keepAs));
    if (owner) lchownSync(keepAs, owner.uid, owner.gid);
    return keepAs;
  } catch {
    return lstatSync(kept, { throwIfNoEntry: false }) ? kept : keepAs;
  }
}

/** Of what earlier restores replaced and left in the folder, for people: nothing else removes it. */
export function notesOfKept(folder: string): string[] {
  const names = statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : [];
  return names
    .filter((name) => OWN.exec(name)?.[1] === 'kept')
    .map(
      (name) =>
        `${join(folder, name)} holds what an earlier restore replaced: move it out of the data folder, or remove it.`,
    );
}

/** For a restore that changes nothing: throws what `open` would. */
export function assertUsable(options: StageOptions): void {
  const stats = lstatSync(options.folder, { throwIfNoEntry: false });
  if (!stats) return;
  const folder = attempt(options.folder, () => realpathSync(options.folder));
  if (!lstatSync(folder).isDirectory()) throw invalid(folder, 'it is no folder');
  assertFree(folder, options);
}

function prepareFolder(options: StageOptions) {
  const stats = lstatSync(options.folder, { throwIfNoEntry: false });
  if (!stats) {
    attempt(options.folder, () => mkdirSync(options.folder, { recursive: true, mode: 0o700 }));
    return { folder: realpathSync(options.folder), isNew: true, owner: null };
  }
  const folder = attempt(options.folder, () => realpathSync(options.folder));
  if (!lstatSync(folder).isDirectory()) throw invalid(folder, 'it is no folder');
  assertStopped(folder);
  attempt(folder, () => clearUp(folder));
  assertFree(folder, options);
  const { uid, gid } = lstatSync(folder);
  return { folder, isNew: false, owner: { uid, gid } };
}

/** What a broken restore left. What comes for one that runs stays: without its files it would be short of them. */
function clearUp(folder: string): void {
  undoSwap(folder);
  for (const name of readdirSync(folder)) {
    const [, kind, mark = ''] = OWN.exec(name) ?? [];
    // Not what moves out for one that has begun in this moment: it is all there is of the data.
    const isOver = kind === 'gone' || (kind === 'new' && !isMarkAlive(mark));
    if (isOver) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function undoSwap(folder: string): void {
  assertNoSwap(folder);
  keepReplaced(folder);
  putBack(folder);
}

/** Of a restore that was killed when all was in place. Whether it was to be kept nobody knows any more. */
function keepReplaced(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, kind, mark = ''] = OWN.exec(name) ?? [];
    if (kind !== 'swap' || isOfAnother(mark)) continue;
    const stage = join(folder, name.replace('swap', 'new'));
    const isAllInPlace = !lstatSync(stage, { throwIfNoEntry: false }) || readdirSync(stage).length === 0;
    if (isAllInPlace) step(folder, join(folder, name), join(folder, name.replace('swap', 'kept')));
  }
}

/** What was there will move into `old`, which is made. Of two that begin at the same moment at least one sees the other. */
function beginSwap(folder: string, old: string): void {
  mkdirSync(old, { mode: 0o700 });
  try {
    assertNoSwap(folder);
  } catch (error) {
    rmdirSync(old);
    throw error;
  }
}

/** Another process or thread that puts its files in place right now is not to be undone. */
function assertNoSwap(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, kind, mark = ''] = OWN.exec(name) ?? [];
    if ((kind !== 'old' && kind !== 'swap') || !isOfAnother(mark)) continue;
    throw new AppError('DATABASE_IN_USE', { name: folder, sessions: 'another restore is putting its files there' });
  }
}

const isOfAnother = (mark: string): boolean => mark !== threadMark && isMarkAlive(mark);

/** Undoes a swap that has not come to its end, if there is one, and nobody is at it. */
function putBack(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, kind, mark = ''] = OWN.exec(name) ?? [];
    if ((kind !== 'old' && kind !== 'swap') || isOfAnother(mark)) continue;
    const old = join(folder, name.replace('swap', 'old'));
    if (kind === 'swap') {
      for (const item of decidingLast(itemsIn(folder)).toReversed()) rmSync(join(folder, item), { recursive: true });
      // From here on what is in the place is old, should it break again.
      step(folder, join(folder, name), old);
    }
    const names = decidingLast(readdirSync(old));
    assertNoneThere(folder, names, basename(old));
    moveAll(old, folder, names);
    rmdirSync(old);
  }
}

/** What is there although it was moved aside somebody has put there since. */
function assertNoneThere(folder: string, names: readonly string[], old: string): void {
  const twice = names.find((name) => lstatSync(join(folder, name), { throwIfNoEntry: false }));
  if (twice === undefined) return;
  const aside = `${old}, where a restore that broke had moved what was there`;
  throw invalid(folder, `${twice} is in it and in ${aside}; move one of the two out of the folder`);
}

/** What has happened so far is on the disk before the name says so. */
function step(folder: string, from: string, to: string): void {
  syncPath(folder);
  renameSync(from, to);
  syncPath(folder);
}

/** What of the content of a folder is data of a server. */
export const itemsOf = (names: readonly string[]): string[] =>
  names.filter((name) => !OWN.test(name) && !IGNORED.has(name));

const itemsIn = (folder: string): string[] => itemsOf(readdirSync(folder));

const decidingLast = (names: readonly string[]): string[] => [
  ...names.filter((name) => !DECIDING.has(name)),
  ...names.filter((name) => DECIDING.has(name)),
];

function moveAll(from: string, to: string, names: readonly string[]): void {
  for (const name of names) renameSync(join(from, name), join(to, name));
}

function assertFree(folder: string, { replaceExisting }: StageOptions): void {
  assertStopped(folder);
  if (replaceExisting) return;
  const count = itemsIn(folder).length;
  if (count > 0)
    throw new AppError('DATABASE_EXISTS', { name: `${folder} with ${count} items in it`, server: 'this machine' });
}

function assertStopped(folder: string): void {
  const pid = serverOn(folder);
  if (pid === null) return;
  throw new AppError('DATABASE_IN_USE', {
    name: folder,
    sessions: `a server runs on it (process ${pid}); stop it first`,
  });
}

/** Gives everything below a folder, and the folder, to an owner. */
export function giveTo(folder: string, { uid, gid }: Owner): void {
  lchownSync(folder, uid, gid);
  for (const item of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    lchownSync(join(item.parentPath, item.name), uid, gid);
  }
}
