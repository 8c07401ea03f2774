/**
 * A folder that a restore fills: everything is written into a scratch folder inside of it, so that it also works where
 * the folder is a mount, and moved up at the end. What was there before is moved aside, and removed when all is done.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, threadMark } from '../../../ports/process-mark.ts';
import { syncPath } from '../../../ports/sync-path.ts';
import type { SystemUser } from '../server.ts';
import { accessOf, setAccess } from './folder-access.ts';
import {
  inodeOf,
  isOfAnother,
  JOURNAL,
  leftoversIn,
  OLD,
  type PlannedSwap,
  rank,
  removeEmpty,
} from './interrupted-swap.ts';

const NEW = '.backupx-restore-';

export class StagedFolder {
  readonly target: string;
  readonly #owner: SystemUser | null;
  readonly #madeFolders: string[] = [];
  readonly #mark = `${threadMark}-${randomBytes(4).toString('hex')}`;
  /** Whose the folder was. */
  readonly #access: PlannedSwap['access'];
  #moved: string[] = [];
  #aside: string[] = [];

  /** Makes the folder when it is not there. Throws what the file system says. */
  constructor(target: string, owner: SystemUser | null) {
    this.target = target;
    this.#owner = owner;
    this.#makeFolder(target);
    this.#access = accessOf(target);
    this.#removeLeftovers();
    try {
      mkdirSync(this.scratch, { mode: 0o700 });
      this.own(this.scratch);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  get scratch(): string {
    return join(this.target, `${NEW}${this.#mark}`);
  }

  get #old(): string {
    return join(this.target, `${OLD}${this.#mark}`);
  }

  own(path: string): void {
    if (this.#owner) chownSync(path, this.#owner.uid, this.#owner.gid);
  }

  /** What was written, at its top. */
  names(): string[] {
    return readdirSync(this.scratch);
  }

  /** What `commit` is about to do; for a journal that is written before. `keepAs`: where what it replaces goes. */
  plan(keepAs: string | null = null): PlannedSwap {
    const names = this.names().map((name) => ({ name, inode: inodeOf(join(this.scratch, name)) ?? '' }));
    return { target: this.target, scratch: this.scratch, old: this.#old, names, keepAs, access: this.#access };
  }

  /** Throws DATABASE_IN_USE when another restore is putting its files there. */
  assertAlone(): void {
    if (!readdirSync(this.target).some(isOfAnother)) return;
    const sessions = 'another restore is putting its files there';
    throw new AppError('DATABASE_IN_USE', { name: `The data directory ${this.target}`, sessions });
  }

  /** Moves aside what `isReplaced` names. */
  setAside(isReplaced: (name: string) => boolean): void {
    const isOurs = (name: string) => name.startsWith(NEW) || join(this.target, name) === this.#old || isOfAnother(name);
    const present = sortedNames(this.target).filter((name) => !isOurs(name) && isReplaced(name));
    if (present.length > 0) mkdirSync(this.#old, { recursive: true, mode: 0o700 });
    for (const name of present.reverse()) {
      renameSync(join(this.target, name), join(this.#old, name));
      this.#aside.push(name);
    }
  }

  /** Puts what was written in place; `mode` is that of the folder from then on. What `isReplaced` names is moved aside. */
  commit(mode: number, isReplaced: (name: string) => boolean): void {
    this.setAside(isReplaced);
    // Before what decides is in place: from then on nobody takes it back, or goes on with it.
    chmodSync(this.target, mode);
    this.own(this.target);
    for (const name of sortedNames(this.scratch)) {
      renameSync(join(this.scratch, name), join(this.target, name));
      this.#moved.push(name);
    }
    rmdirSync(this.scratch);
    syncPath(this.target);
  }

  /** Nothing is taken back from here on. */
  keep(): void {
    this.#moved = [];
    this.#aside = [];
  }

  /** What was written is beside its place again; not after `keep`. Nothing is deleted: the journal must stay true. */
  withdraw(): void {
    if (this.#moved.length > 0) mkdirSync(this.scratch, { recursive: true, mode: 0o700 });
    for (const name of this.#moved.reverse()) renameSync(join(this.target, name), join(this.scratch, name));
    this.#moved = [];
  }

  /** What was there is in its place again, too. */
  takeBack(): void {
    this.withdraw();
    if (this.#access) setAccess(this.target, this.#access);
    for (const name of this.#aside.reverse()) renameSync(join(this.#old, name), join(this.target, name));
    this.keep();
  }

  /** Removes what was written; after `takeBack`, or before anything was put in place. */
  discard(): void {
    rmSync(join(this.#old, JOURNAL), { force: true });
    rmSync(this.scratch, { recursive: true, force: true });
    for (const folder of [this.#old, ...this.#madeFolders.reverse()]) {
      try {
        rmdirSync(folder);
      } catch {
        // It is not there, or somebody has put something in it.
      }
    }
  }

  #makeFolder(path: string): void {
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (present) return;
    if (dirname(path) !== path) this.#makeParent(dirname(path));
    mkdirSync(path, { mode: 0o700 });
    this.#madeFolders.push(path);
    this.own(path);
  }

  /** Not for the owner alone: the server must get through them. */
  #makeParent(path: string): void {
    if (lstatSync(path, { throwIfNoEntry: false })) return;
    this.#makeParent(dirname(path));
    mkdirSync(path, { mode: 0o755 });
    this.#madeFolders.push(path);
  }

  /** Scratch folders of restores that were killed. What they had moved aside is data and stays. */
  #removeLeftovers(): void {
    for (const name of readdirSync(this.target)) {
      if (name.startsWith(NEW) && !isMarkAlive(name.slice(NEW.length).replace(/-[^-]*$/, '')))
        rmSync(join(this.target, name), { recursive: true, force: true });
    }
    for (const name of leftoversIn(this.target)) removeEmpty(join(this.target, name));
  }
}

/** What is in a folder beside what killed restores left. */
export function contentOf(folder: string): string[] {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (!stat) return [];
  const isFolder = stat.isDirectory() || (stat.isSymbolicLink() && isFolderBehind(folder));
  if (!isFolder) throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: 'it is no folder' });
  return readdirSync(folder).filter((name) => !name.startsWith(NEW) && name !== 'lost+found');
}

function isFolderBehind(path: string): boolean {
  try {
    return readdirSync(path).length >= 0;
  } catch {
    return false;
  }
}

const sortedNames = (folder: string): string[] => readdirSync(folder).sort((a, b) => rank(a) - rank(b));
