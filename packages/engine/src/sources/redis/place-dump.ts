/** Puts a dump into a folder as a file: for a stopped server, or for people. */
import {
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, threadMark } from '../../ports/process-mark.ts';
import { syncPath } from '../../ports/sync-path.ts';

const SCRATCH = '.backupx-new-';

/** A file that is written beside its place and takes it in the end, or leaves no trace. */
export class StagedFile {
  readonly target: string;
  readonly #scratch: string;
  #fd: number;
  #position = 0;
  #isInPlace = false;

  /** Throws what the file system says; what a killed restore left is removed. */
  constructor(target: string) {
    this.target = target;
    const prefix = `.${basename(target)}${SCRATCH}`;
    removeLeftovers(dirname(target), prefix);
    this.#scratch = join(dirname(target), `${prefix}${threadMark}`);
    this.#fd = openSync(this.#scratch, 'wx', 0o600);
  }

  write(chunk: Uint8Array): void {
    for (let done = 0; done < chunk.byteLength; ) {
      const count = writeSync(this.#fd, chunk, done, chunk.byteLength - done, this.#position);
      done += count;
      this.#position += count;
    }
  }

  /**
   * The owner becomes that of the file it replaces, or of its folder: the server must be able to read it. `keepAs`: a
   * second name for what is replaced; answers whether it has it now.
   */
  commit(keepAs: string | null = null): boolean {
    fsyncSync(this.#fd);
    this.#close();
    const { uid, gid } = statSync(this.target, { throwIfNoEntry: false }) ?? statSync(dirname(this.target));
    const own = statSync(this.#scratch);
    if (own.uid !== uid || own.gid !== gid) chownSync(this.#scratch, uid, gid);
    const isKept = keepAs !== null && keepFile(this.target, keepAs);
    try {
      if (isKept) syncPath(dirname(this.target));
      renameSync(this.#scratch, this.target);
    } catch (error) {
      if (isKept) rmSync(keepAs, { force: true });
      throw error;
    }
    this.#isInPlace = true;
    syncPath(dirname(this.target));
    return isKept;
  }

  /** Idempotent; does nothing after `commit`. */
  discard(): void {
    this.#close();
    if (!this.#isInPlace) rmSync(this.#scratch, { force: true });
  }

  #close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** A second name for it; a copy where the file system has none. False: there is nothing to keep. */
function keepFile(path: string, name: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || stat.size === 0) return false;
  try {
    linkSync(path, name);
  } catch (error) {
    assertOurs(error, name);
    keepCopy(path, name);
  }
  return true;
}

/** Nothing of that name was there, which may have come to be in this very moment. Throws RESTORE_TARGET_INVALID. */
function assertOurs(error: unknown, name: string): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return;
  throw new AppError('RESTORE_TARGET_INVALID', { path: name, reason: 'it is there' }, { cause: error });
}

/** On the disk, and of the same owner, before the other name is given to something else. */
function keepCopy(path: string, name: string): void {
  const { uid, gid } = statSync(path);
  try {
    copyFileSync(path, name, constants.COPYFILE_EXCL);
    const own = statSync(name);
    if (own.uid !== uid || own.gid !== gid) chownSync(name, uid, gid);
    syncPath(name);
  } catch (error) {
    assertOurs(error, name);
    rmSync(name, { force: true });
    throw error;
  }
}

function removeLeftovers(folder: string, prefix: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(prefix) && !isMarkAlive(name.slice(prefix.length))) rmSync(join(folder, name), { force: true });
  }
}

/** Servers that run in a folder: they change into their data folder. Those of other users are seen by root only. */
export function serversIn(folder: string): { readonly pid: string; readonly program: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const program = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      const isServer = /^(redis|valkey)-server/.test(program);
      return isServer && readlinkSync(`/proc/${pid}/cwd`) === folder ? [{ pid, program }] : [];
    } catch {
      return [];
    }
  });
}

/** Throws DATABASE_IN_USE when a server runs in this folder: it would write its own dump over ours when it stops. */
export function assertNoServerIn(folder: string): void {
  const sessions = serversIn(folder).map(({ pid, program }) => `${program} (process ${pid})`);
  if (sessions.length > 0) throw new AppError('DATABASE_IN_USE', { name: folder, sessions: sessions.join(', ') });
}

/** What a server would read instead of the dump, were append-only files on; null: there is none. */
export function appendOnlyFileIn(folder: string): string | null {
  const names = ['appendonlydir', 'appendonly.aof'];
  return names.find((name) => statSync(join(folder, name), { throwIfNoEntry: false })) ?? null;
}
