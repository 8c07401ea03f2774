/**
 * Puts a restored file in the place of a database so that nobody ever sees a mixture of the two, a crash included:
 *
 * 1. The old one is locked for us alone, which undoes a half transaction and moves its write-ahead log into it. From
 *    here it is whole without the files beside it.
 * 2. A second name keeps it, then the files beside it are moved aside: the new one must never meet an old log, which
 *    SQLite would play back into it.
 * 3. The new file is renamed over it, and the folder is synced.
 * 4. Whoever opened the old one between the look around and the lock would go on with a file without a name: then all
 *    of it is taken back.
 *
 * What a crash leaves is cleared by the next restore of that database: `clearLeftovers`.
 */
import { linkSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, threadMark } from '../../ports/process-mark.ts';
import { syncPath } from '../../ports/sync-path.ts';
import { describeHolder, type FileKey, fileKey, type Holder, holdersOf, holdersOfDatabase } from './file-holders.ts';
import { openForLock } from './open-database.ts';
import { SIDECAR_SUFFIXES } from './sidecars.ts';
import { SQLITE, sqliteCode, sqliteReason } from './sqlite-errors.ts';

const NEW = '.backupx-new-';
const OLD = '.backupx-old-';

/** Where a restore writes a database before it takes the place of `target`. */
export function scratchPathOf(target: string): string {
  return join(dirname(target), `.${basename(target)}${NEW}${threadMark}`);
}

/** Throws DATABASE_IN_USE with the programs that have it open. */
export function assertUnused(target: string): void {
  throwInUse(target, holdersOfDatabase(target));
}

function throwInUse(target: string, holders: readonly Holder[]): void {
  if (holders.length === 0) return;
  throw new AppError('DATABASE_IN_USE', { name: target, sessions: holders.map(describeHolder).join(', ') });
}

/** One file on its way to its place. `undo` also after a failed `apply`, but not after `finish`. */
export class Replacement {
  readonly #scratch: string;
  readonly #target: string;
  readonly #aside: string;
  #lock: DatabaseSync | null = null;
  #hadTarget = false;
  #isLinked = false;
  #isRenamed = false;
  readonly #moved: string[] = [];

  constructor(paths: { readonly scratch: string; readonly target: string }) {
    this.#scratch = paths.scratch;
    this.#target = paths.target;
    this.#aside = join(dirname(paths.target), `.${basename(paths.target)}${OLD}${threadMark}`);
  }

  /** Throws DATABASE_IN_USE and what the file system says. */
  apply(): void {
    assertUnused(this.#target);
    const old = fileKey(this.#target);
    this.#hadTarget = old !== null;
    if (old) this.#lock = lockAlone(this.#target);
    this.#moveAside();
    renameSync(this.#scratch, this.#target);
    this.#isRenamed = true;
    syncPath(dirname(this.#target));
    if (old) throwInUse(this.#target, holdersOf([old], { isOwnIgnored: true }));
  }

  /** Lets go of the old one. Never throws: the new one is in place, and what stays is cleared by the next restore. */
  finish(): void {
    try {
      this.#lock?.close();
      rmSync(this.#aside, { force: true });
      for (const suffix of this.#moved) rmSync(`${this.#aside}${suffix}`, { force: true });
      syncPath(dirname(this.#target));
    } catch {
      // See above.
    }
  }

  /** Puts the old one back where it was and removes the new one. */
  undo(): void {
    if (this.#isRenamed && this.#isLinked) renameSync(this.#aside, this.#target);
    else if (this.#isRenamed && !this.#hadTarget) rmSync(this.#target, { force: true });
    for (const suffix of this.#moved) renameSync(`${this.#aside}${suffix}`, `${this.#target}${suffix}`);
    if (this.#isLinked) rmSync(this.#aside, { force: true });
    this.#lock?.close();
    this.#lock = null;
    rmSync(this.#scratch, { force: true });
  }

  #moveAside(): void {
    try {
      if (this.#hadTarget) linkSync(this.#target, this.#aside);
      this.#isLinked = this.#hadTarget;
    } catch {
      // A file system without second names: the old one cannot be kept until the other files are in place.
    }
    for (const suffix of SIDECAR_SUFFIXES) {
      const path = `${this.#target}${suffix}`;
      if (!fileKey(path)) continue;
      // The index of the log is made anew by whoever opens the database first.
      if (suffix === '-shm') rmSync(path, { force: true });
      else {
        renameSync(path, `${this.#aside}${suffix}`);
        this.#moved.push(suffix);
      }
    }
    syncPath(dirname(this.#target));
  }
}

/** The old database cannot be used any more, so there is nobody to lock out. */
const BROKEN: ReadonlySet<number> = new Set([SQLITE.ERROR, SQLITE.IOERR, SQLITE.CORRUPT, SQLITE.NOTADB]);

/** A connection that holds a database for us alone, all of it in one file; null when it is too broken to be opened. */
function lockAlone(path: string): DatabaseSync | null {
  let lock: DatabaseSync | null = null;
  try {
    lock = openForLock(path);
    // Also keeps everybody out of a database in WAL mode, until the connection is closed.
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    lock.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return lock;
  } catch (error) {
    lock?.close();
    const code = sqliteCode(error);
    if (code === null) throw error;
    if (BROKEN.has(code)) return null;
    if (code !== SQLITE.BUSY && code !== SQLITE.LOCKED) {
      throw new AppError('RESTORE_TARGET_INVALID', { path, reason: sqliteReason(error) }, { cause: error });
    }
    throw new AppError('DATABASE_IN_USE', { name: path, sessions: 'a program that holds it locked' }, { cause: error });
  }
}

/**
 * Removes what killed restores of this database left in its folder. A log that belongs to the database in the place is
 * kept, for experts: one moved aside holds something only when the database was too broken to take it in, and playing
 * it back by ourselves could ruin what was written since.
 */
export function clearLeftovers(target: string): void {
  const folder = dirname(target);
  const prefixes = [NEW, OLD].map((kind) => `.${basename(target)}${kind}`);
  const current = fileKey(target);
  for (const name of readdirSync(folder)) {
    const prefix = prefixes.find((start) => name.startsWith(start));
    if (prefix === undefined) continue;
    const mark = name.slice(prefix.length).replace(SIDECAR, '');
    const isKept = isMarkAlive(mark) || (current !== null && holdsLogOf(join(folder, prefix + mark), current));
    if (!isKept) rmSync(join(folder, name), { force: true });
  }
}

const SIDECAR = new RegExp(`(${SIDECAR_SUFFIXES.join('|')})$`);

function holdsLogOf(aside: string, current: FileKey): boolean {
  const key = fileKey(aside);
  if (key?.ino !== current.ino || key.dev !== current.dev) return false;
  return SIDECAR_SUFFIXES.some((suffix) => (statSync(`${aside}${suffix}`, { throwIfNoEntry: false })?.size ?? 0) > 0);
}
