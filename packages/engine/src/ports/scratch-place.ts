/** Folders for servers that are started for a proof, and the wait until one of them answers. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from './clock.ts';
import { isMarkAlive, threadMark } from './process-mark.ts';
import { drain, type ToolProcess } from './processes.ts';

const PREFIX = 'backupx-verify-';
/** Only what is named exactly as ours: the folder may be that of the whole machine, where others keep things, too. */
const LEFTOVER = /^backupx-verify-(\d+\.\d+)-[A-Za-z0-9]{6}$/;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
/** Longer paths of sockets the system does not take; a server may add a word or two to the name it is given. */
const MAX_SOCKET_FOLDER = 80;

/** A folder in `parent`, which may outlive us; what a process or thread left there that was killed is removed. */
export function makeScratchFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    const mark = LEFTOVER.exec(name)?.[1];
    if (mark !== undefined && !isMarkAlive(mark)) removeLeftover(join(parent, name));
  }
  return mkdtempSync(join(parent, `${PREFIX}${threadMark}-`));
}

/** One of another user stays for that user's next proof. */
function removeLeftover(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It is in nobody's way.
  }
}

/** The same, short enough for a socket in it: in the folder of the system when the other's path is too long. */
export function makeSocketFolder(parent: string): string {
  const folder = makeScratchFolder(parent);
  if (folder.length <= MAX_SOCKET_FOLDER) return folder;
  rmSync(folder, { recursive: true });
  return makeScratchFolder(tmpdir());
}

export interface AnswerOptions<T> {
  /** Logs in. */
  open(): Promise<T>;
  /** For messages: `mongod`. */
  readonly name: string;
  /** What it writes, whose last lines tell why it did not start. */
  readonly logFile: string;
  readonly signal: AbortSignal;
}

/**
 * Waits until a server that was just started lets somebody in. Takes what it prints. Throws DATABASE_TOOL_FAILED when it
 * ends or a minute has gone, and what `open` throws but DATABASE_UNREACHABLE.
 */
export async function untilAnswered<T>(running: ToolProcess, options: AnswerOptions<T>): Promise<T> {
  const { open, name, logFile, signal } = options;
  let hasEnded = false;
  void running.ended.then(() => {
    hasEnded = true;
  });
  // It writes into its log; what it prints all the same must not fill the pipe.
  void drain(running.output);
  const deadline = systemClock.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const isUp = !(error instanceof AppError) || error.code !== 'DATABASE_UNREACHABLE';
      if (isUp || signal.aborted) throw error;
      if (hasEnded || systemClock.monotonicMs() > deadline) {
        throw new AppError('DATABASE_TOOL_FAILED', { tool: name, reason: tailOf(logFile) }, { cause: error });
      }
      await systemClock.sleep(POLL_MS, signal);
    }
  }
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-3).join(' / ');
  } catch {
    return 'it did not start';
  }
}
