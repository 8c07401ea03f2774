/** What every command gets: the terminal, whether JSON was asked for, and one way to end with an exit code. */
import type { Command } from 'commander';
import { systemClock } from './clock.ts';
import { formatTable } from './output/format.ts';
import { reportError } from './output/report-error.ts';
import { processTerminal, type Terminal } from './output/terminal.ts';

export interface EngineSettings {
  /** How long work waits for a storage that does not answer. */
  readonly storagePatienceMs?: number;
  /** That compress and encrypt. */
  readonly compressionParallelism?: number;
  /** How far it lets other programs go first, 0 to 19. */
  readonly nice?: number;
}

export interface CommandContext {
  readonly terminal: Terminal;
  /** How work done in this process uses the machine; left out: as the engine does by itself. */
  readonly engineSettings?: () => EngineSettings;
  now(): Date;
  monotonicMs(): number;
}

export const processContext: CommandContext = {
  terminal: processTerminal,
  now: systemClock.now,
  monotonicMs: systemClock.monotonicMs,
};

/** Wraps an action: what it answers or throws becomes the exit code. */
export function act<A extends unknown[]>(context: CommandContext, work: (...args: A) => Promise<number | undefined>) {
  return async (...args: A): Promise<void> => {
    try {
      process.exitCode = (await work(...args)) ?? 0;
    } catch (error) {
      process.exitCode = reportError(error, context.terminal);
    }
  };
}

/** Prints a list: aligned columns, or with `--json` the items as they are. */
export function printList<T>(
  context: CommandContext,
  list: { items: readonly T[]; json?: boolean; heading: readonly string[]; row: (item: T) => string[] },
): void {
  const { items, json, heading, row } = list;
  if (json) context.terminal.data(JSON.stringify(items, null, 2));
  else if (items.length === 0) context.terminal.say('Nothing there yet.');
  else context.terminal.data(formatTable([heading, ...items.map(row)]));
}

/** Help leads with examples. */
export function withExamples(command: Command, ...examples: string[]): Command {
  const lines = examples.map((example) => `  ${example}\n`).join('');
  return command.addHelpText('before', `Examples:\n${lines}`);
}

export const jsonFlag = ['--json', 'every field as JSON'] as const;
