/** Where logs arrive: a folder of one receiver, for its owner alone. What is in it can be fetched again at any time. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { takeFolder } from '../direct-storage/take-folder.ts';
import { byNumber, parseBinlogName } from './binlog-names.ts';
import type { ServerLog } from './choose-start.ts';

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
