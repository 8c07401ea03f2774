/** A folder that one process at a time uses, for its owner alone. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isMarkAlive, processMark } from '../ports/process-mark.ts';

const OWNER = /^receiver-(.+)\.lock$/;
const OWN_MARK = `receiver-${processMark}.lock`;

/**
 * Makes it, and marks it as ours. Answers what gives it back, which is idempotent. `setting`: for the message. Throws
 * DATABASE_IN_USE when another receiver has it, CONFIG_INVALID when it cannot be made.
 */
export function takeFolder(path: string, setting: string): () => void {
  const own = join(path, OWN_MARK);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    // Marked before others are looked for: of two that begin at the same moment one at least sees the other.
    if (existsSync(own)) throw inUse(path, process.pid);
    writeFileSync(own, '', { mode: 0o600 });
    clearMarks(path);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('CONFIG_INVALID', { problems: `${setting}: ${(error as Error).message}` }, { cause: error });
  }
  return () => rmSync(own, { force: true });
}

/** Of processes that are gone. Throws DATABASE_IN_USE, without our own mark then. */
function clearMarks(path: string): void {
  for (const name of readdirSync(path).filter((item) => item !== OWN_MARK)) {
    const mark = OWNER.exec(name)?.[1];
    if (mark === undefined) continue;
    if (isMarkAlive(mark)) {
      rmSync(join(path, OWN_MARK), { force: true });
      throw inUse(path, mark.split('.')[0]);
    }
    rmSync(join(path, name), { force: true });
  }
}

function inUse(path: string, pid: string | number | undefined): AppError {
  return new AppError('DATABASE_IN_USE', { name: path, sessions: `another receiver (process ${pid})` });
}
