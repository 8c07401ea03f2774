import { AppError } from '@backupx/contracts/errors';
import { act, type CommandContext } from '../command-context.ts';
import { endFromStuckDisk } from '../stop-signal.ts';

/** The option of every command. */
export const configOption = ['--config <file>', 'parameter file: storage, prefix, encryption'] as const;

/** What a call into the engine begins with; SIGINT and SIGTERM stop it. */
export function walCall(config: string | undefined): { parameterFile: string; signal: AbortSignal } {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  return { parameterFile: given(config, '--config'), signal: stop.signal };
}

/** As `act`; the process ends afterwards even if the storage does not let go. */
export function actOnArchive<A extends unknown[]>(
  context: CommandContext,
  work: (...args: A) => Promise<number | undefined>,
) {
  const run = act(context, work);
  return async (...args: A): Promise<void> => {
    await run(...args);
    endFromStuckDisk();
  };
}

/** Throws INVALID_INPUT for what was left out. */
export function given(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: name, code: 'required', message: 'must be given' }] });
}
