/**
 * Folders below one base, opened one name at a time without following symbolic links, and kept open: whatever is
 * done in them goes through the open folder (`/proc/self/fd/<n>/<name>`), so a link put into the path meanwhile
 * changes nothing. Where there is no /proc the names are checked one by one instead.
 */
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { type BytePath, joinPath, toBytes, toPath } from './byte-paths.ts';
import { errnoOf } from './errno.ts';
import { makeFolders } from './make-folders.ts';
import type { CreationTraits } from './unfinished-file.ts';

const hasProc = existsSync('/proc/self/fd');
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;
const MAX_DEPTH = 1000;
const untouched = { isOwn: false, creationTraits: null };

/** A name on the way is a symbolic link or no folder. */
export class UnsafeFolderError extends Error {}

interface OpenFolder {
  readonly name: BytePath;
  readonly descriptor: number;
  readonly path: BytePath;
  /** Made by this restore, so nothing is in it but what it put there. */
  isOwn: boolean;
  /** Null: not looked at yet. */
  creationTraits: CreationTraits | null;
}

export class FolderChain {
  readonly #base: BytePath;
  #mayFollowFirst: boolean;
  readonly #open: OpenFolder[] = [];
  /** What was entered last: entering the very same list again is nothing to do. */
  #entered: readonly BytePath[] | null = null;

  constructor(base: BytePath, mayFollowFirst: boolean) {
    this.#base = base;
    this.#mayFollowFirst = mayFollowFirst;
  }

  /**
   * Goes to the folder of these names. `onCreate` makes a missing one acceptable and hears of each that was made;
   * without it a missing folder throws ENOENT. Throws `UnsafeFolderError` for a link or a non-folder on the way.
   */
  enter(names: readonly BytePath[], onCreate?: (names: readonly BytePath[]) => void): void {
    if (names === this.#entered) return;
    this.#entered = null;
    if (names.length > MAX_DEPTH) throw new UnsafeFolderError('it is nested too deeply');
    this.#openBase(onCreate !== undefined);
    let same = 0;
    while (same < names.length && this.#open[same + 1]?.name === names[same]) same += 1;
    while (this.#open.length > same + 1) this.#closeLast();
    for (let index = same; index < names.length; index += 1) {
      const name = names[index] ?? '';
      const opened = this.#openChild(name, index, onCreate !== undefined);
      opened.folder.isOwn = opened.isNew;
      this.#open.push(opened.folder);
      if (opened.isNew) onCreate?.(names.slice(0, index + 1));
    }
    this.#entered = names;
  }

  get mayFollowFirst(): boolean {
    return this.#mayFollowFirst;
  }

  /** From now on the first name is treated like all others: it is no longer what the user had there. */
  neverFollow(): void {
    this.#mayFollowFirst = false;
  }

  /** True while the folder entered last is one that this chain saw being made: nothing else was ever in it. */
  get isOwn(): boolean {
    return this.#open.at(-1)?.isOwn ?? false;
  }

  /** Says that the folder entered last has just been made. */
  markOwn(): void {
    const folder = this.#open.at(-1);
    if (folder) folder.isOwn = true;
  }

  /** What files made in the folder entered last are like; null: not known yet. */
  get creationTraits(): CreationTraits | null {
    return this.#open.at(-1)?.creationTraits ?? null;
  }

  set creationTraits(traits: CreationTraits) {
    const folder = this.#open.at(-1);
    if (folder) folder.creationTraits = traits;
  }

  /** Path of an item in the folder entered last. */
  pathOf(name: BytePath): string | Buffer {
    return toPath(this.textPathOf(name));
  }

  /** The same as a byte path; plain ASCII apart from `name` where there is /proc. */
  textPathOf(name: BytePath): BytePath {
    const folder = this.#open.at(-1);
    if (!folder) throw new Error('no folder was entered');
    return joinPath(folder.path, name);
  }

  close(): void {
    this.#entered = null;
    while (this.#open.length > 0) this.#closeLast();
  }

  #openBase(mayCreate: boolean): void {
    if (this.#open.length > 0) return;
    if (mayCreate) makeFolders(this.#base);
    this.#open.push(this.#folder(this.#base, '', openSync(toBytes(this.#base), FOLDER_FLAGS)));
  }

  #openChild(name: BytePath, index: number, mayCreate: boolean): { folder: OpenFolder; isNew: boolean } {
    const path = this.textPathOf(name);
    const mayFollow = index === 0 && this.#mayFollowFirst;
    try {
      return { folder: this.#openExisting(path, name, mayFollow), isNew: false };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !mayCreate) throw error;
    }
    mkdirSync(toBytes(path), 0o755);
    return { folder: this.#openExisting(path, name, false), isNew: true };
  }

  #openExisting(path: BytePath, name: BytePath, mayFollow: boolean): OpenFolder {
    if (!hasProc && !mayFollow && !lstatSync(toBytes(path)).isDirectory()) throw new UnsafeFolderError(blockedText);
    try {
      return this.#folder(path, name, openSync(toBytes(path), FOLDER_FLAGS | (mayFollow ? 0 : constants.O_NOFOLLOW)));
    } catch (error) {
      if (['ELOOP', 'ENOTDIR'].includes(errnoOf(error))) throw new UnsafeFolderError(blockedText);
      throw error;
    }
  }

  #folder(path: BytePath, name: BytePath, descriptor: number): OpenFolder {
    return { name, descriptor, path: hasProc ? `/proc/${process.pid}/fd/${descriptor}` : path, ...untouched };
  }

  #closeLast(): void {
    const folder = this.#open.pop();
    if (folder) closeSync(folder.descriptor);
  }
}

const blockedText = 'a folder on the way is a symbolic link or not a folder';
