/** The engine inside the command line: jobs run here, with their progress on the terminal and Ctrl-C to stop them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { JobKind, JobOf, JobResults } from '@backupx/contracts/jobs';
import type { CommandContext } from '../command-context.ts';
import { formatCount, printable } from '../output/format.ts';
import { createProgressLine } from '../output/progress-line.ts';

type Engine = ReturnType<Awaited<typeof import('@backupx/engine/create-job-engine')>['createJobEngine']>;

const CLOSE_GRACE_MS = 10_000;

export interface EngineSession {
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly engine: Engine;
  /** Runs a job with a progress line that begins with `label`. Throws AppError. */
  run<K extends JobKind>(job: JobOf<K>, label: string): Promise<JobResults[K]>;
}

/** Starts an engine for `work` and clears up after it; what is stopped ends with CANCELLED, a second Ctrl-C at once. */
export async function withEngine<T>(context: CommandContext, work: (session: EngineSession) => Promise<T>): Promise<T> {
  const { createJobEngine } = await import('@backupx/engine/create-job-engine');
  const tempDir = mkdtempSync(join(tmpdir(), 'backupx-'));
  const engine = createJobEngine({ ...context.engineSettings?.(), tempDir });
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (abort.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
    context.terminal.say('Stopping…');
    abort.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const pipe = watchPipe(() => abort.abort());
  try {
    return await work({
      signal: abort.signal,
      engine,
      run: (job, label) => runJob(context, { engine, signal: abort.signal, job, label }),
    });
  } catch (error) {
    if (abort.signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
    // There is no server whose log could be looked into.
    throw error instanceof AppError && error.code === 'INTERNAL' && error.cause instanceof Error ? error.cause : error;
  } finally {
    await engine.close(CLOSE_GRACE_MS);
    rmSync(tempDir, { recursive: true, force: true });
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    if (pipe.release()) process.exit();
  }
}

/** `backupx repo dump … | head`: the reader has seen enough. The program ends after the work is cleared up, not before. */
function watchPipe(onBroken: () => void): { release(): boolean } {
  const listeners = process.stdout.listeners('error') as ((error: Error) => void)[];
  let isBroken = false;
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isBroken = true;
    onBroken();
  };
  process.stdout.removeAllListeners('error').on('error', onError);
  return {
    release() {
      process.stdout.off('error', onError);
      for (const listener of listeners) process.stdout.on('error', listener);
      return isBroken;
    },
  };
}

/** For a summary; the problems themselves were said when they came up. */
export function describeProblems(count: number): string {
  return count > 0 ? `, ${formatCount(count, 'problem')}` : '';
}

interface JobParts<K extends JobKind> {
  readonly engine: Engine;
  readonly signal: AbortSignal;
  readonly job: JobOf<K>;
  readonly label: string;
}

async function runJob<K extends JobKind>(context: CommandContext, parts: JobParts<K>): Promise<JobResults[K]> {
  const { terminal } = context;
  const line = createProgressLine(printable(parts.label), terminal, context.monotonicMs);
  try {
    return await parts.engine.run(parts.job, {
      signal: parts.signal,
      reporter: {
        progress: (progress) => line.show(progress),
        log(level, message) {
          if (level !== 'warn' && level !== 'error') return;
          line.clear();
          terminal.say(printable(message));
        },
      },
    });
  } finally {
    line.clear();
  }
}
