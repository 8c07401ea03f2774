import { AppError } from '@backupx/contracts/errors';

/** The option of every command. */
export const configOption = ['--config <file>', 'parameter file: storage, prefix, encryption'] as const;

/** What a call into the engine begins with; SIGINT and SIGTERM stop it. */
export function walCall(config: string | undefined): { parameterFile: string; signal: AbortSignal } {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  return { parameterFile: given(config, '--config'), signal: stop.signal };
}

/** Throws INVALID_INPUT for what was left out. */
export function given(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: name, code: 'required', message: 'must be given' }] });
}
