/** A program that writes what it receives into a spool, and what is done with it beside that. */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '../ports/clock.ts';
import { drain, type ToolEnd, type ToolProcess } from '../ports/processes.ts';

export interface FollowOptions {
  readonly stop: AbortSignal;
  readonly clock: Clock;
  readonly pollMs: number;
  /** The spool takes no more. */
  isFull(): boolean;
  /** Stores what has come, again and again. False: the program is to end. */
  step(): Promise<boolean>;
}

/** How the program ended; null: by us, since it was told to, there was no room, or a step said so. Throws what steps throw. */
export async function followTool(tool: ToolProcess, options: FollowOptions): Promise<ToolEnd | null> {
  const { stop, clock, pollMs, isFull, step } = options;
  tool.endInput();
  const drained = drain(tool.output);
  let hasEnded = false;
  const gone = new AbortController();
  const ended = tool.ended.finally(() => {
    hasEnded = true;
    gone.abort();
  });
  let isOurs = false;
  const end = () => {
    isOurs ||= !hasEnded;
    tool.kill();
  };
  const mayGoOn = () => !hasEnded && !isOurs && !stop.aborted && !isFull();
  // Not `Promise.race` with the end: each would be kept until the program ends, which may be in a year.
  const either = AbortSignal.any([stop, gone.signal]);
  const poll = () => clock.sleep(pollMs, either).catch(() => {});
  const watch = async () => {
    while (mayGoOn()) await poll();
    end();
  };
  // Beside the storing, which takes as long as a slow storage does: meanwhile more arrives.
  const watched = watch();
  // Thrown below; until then it must not be one that nobody waits for, which would end the process with the program alive.
  watched.catch(end);
  try {
    while (mayGoOn()) {
      await poll();
      if (!(await step())) end();
    }
    end();
    const how = await ended;
    return isOurs ? null : how;
  } finally {
    tool.kill();
    await Promise.all([ended, drained, watched]);
  }
}

/** A storage that fails, is full or away may be mended; anything else stays as it is. */
export function mayStorageRecover(error: unknown): boolean {
  return error instanceof AppError && (error.code.startsWith('STORAGE_') || error.code === 'TIMEOUT');
}
