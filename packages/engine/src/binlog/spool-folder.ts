/** Where logs arrive: a folder of one receiver, for its owner alone. What is in it can be fetched again at any time. */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { takeFolder } from '../direct-storage/take-folder.ts';
import { byNumber, parseBinlogName } from './binlog-names.ts';
import type { ServerLog } from './choose-start.ts';

/** Holds the prefix of the archive for which logs were received last. */
const NOTE = 'archive';

/** See above. Synchronous: a few small calls. */
export class SpoolFolder {
  readonly path: string;
  /** Idempotent. What has arrived and was not stored stays: perhaps the server has it no more. */
  readonly release: () => void;

  private constructor(path: string) {
    this.path = path;
    this.release = takeFolder(path, 'spool_folder');
  }

  /** Throws DATABASE_IN_USE when another receiver has it, CONFIG_INVALID when it cannot be made. */
  static take(path: string): SpoolFolder {
    return new SpoolFolder(path);
  }

  /** What has arrived, in order. */
  logs(): ServerLog[] {
    const names = readdirSync(this.path).filter((name) => parseBinlogName(name) !== null);
    return names.map((name) => ({ name, sizeBytes: statSync(this.at(name)).size })).sort(byNumber);
  }

  /**
   * What arrives from now on is for this archive. Throws CONFIG_INVALID when logs are left that were received for another
   * one: they may be the last copy, and in this archive they would pass for logs of the server as it is now.
   */
  receiveFor(prefix: string): void {
    const owner = this.#owner();
    const left = this.logs();
    if (owner !== null && owner !== prefix && left.length > 0) {
      const problem = `spool_folder: ${this.path} holds logs that were received for the archive at ${owner} (${left[0]?.name} to ${left.at(-1)?.name}): start the receiver once more with that prefix, which stores them, then remove what is left of them; or take another folder`;
      throw new AppError('CONFIG_INVALID', { problems: problem });
    }
    if (owner === prefix) return;
    writeFileSync(this.at(`${NOTE}.part`), prefix, { mode: 0o600, flush: true });
    renameSync(this.at(`${NOTE}.part`), this.at(NOTE));
  }

  #owner(): string | null {
    try {
      return readFileSync(this.at(NOTE), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** What logs take on the disk. */
  sizeBytes(): number {
    return this.logs().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  remove(name: string): void {
    rmSync(this.at(name), { force: true });
  }

  clear(): void {
    for (const { name } of this.logs()) this.remove(name);
  }
}
