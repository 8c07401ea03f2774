/** Where logs arrive: a folder of one receiver, for its owner alone. What is in it can be fetched again at any time. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, processMark } from '../ports/process-mark.ts';
import { byNumber, parseBinlogName } from './binlog-names.ts';
import type { ServerLog } from './choose-start.ts';

const OWNER = /^receiver-(.+)\.lock$/;
const OWN_MARK = `receiver-${processMark}.lock`;

/** See above. Synchronous: a few small calls. */
export class SpoolFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Throws DATABASE_IN_USE when another receiver has it, CONFIG_INVALID when it cannot be made. */
  static take(path: string): SpoolFolder {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o700);
      // Marked before others are looked for: of two that begin at the same moment one at least sees the other.
      if (existsSync(join(path, OWN_MARK))) throw inUse(path, process.pid);
      writeFileSync(join(path, OWN_MARK), '', { mode: 0o600 });
      for (const name of readdirSync(path).filter((item) => item !== OWN_MARK)) {
        const mark = OWNER.exec(name)?.[1];
        if (mark === undefined) continue;
        if (isMarkAlive(mark)) {
          rmSync(join(path, OWN_MARK));
          throw inUse(path, mark.split('.')[0]);
        }
        rmSync(join(path, name), { force: true });
      }
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('CONFIG_INVALID', { problems: `spool_folder: ${(error as Error).message}` }, { cause: error });
    }
    return new SpoolFolder(path);
  }

  /** What has arrived, in order. */
  logs(): ServerLog[] {
    const names = readdirSync(this.path).filter((name) => parseBinlogName(name) !== null);
    return names.map((name) => ({ name, sizeBytes: statSync(this.at(name)).size })).sort(byNumber);
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

  /** Idempotent. What has arrived and was not stored stays: perhaps the server has it no more. */
  release(): void {
    rmSync(join(this.path, OWN_MARK), { force: true });
  }
}

function inUse(path: string, pid: string | number | undefined): AppError {
  return new AppError('DATABASE_IN_USE', { name: path, sessions: `another receiver (process ${pid})` });
}
