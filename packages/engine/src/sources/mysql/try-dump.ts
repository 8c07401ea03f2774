/** A dump for the connection test. */
import { AppError } from '@backupx/contracts/errors';
import { drain, isSuccess } from '../../ports/processes.ts';
import { type DumpOptions, dumpArgs } from './dump-database.ts';
import { toolError } from './tool-error.ts';

const TRIAL_LIMIT_MS = 30_000;

/**
 * The program itself, with everything of a dump but the rows: what fails here would fail at night. Answers what rights it
 * lacks; null: it works, or has at least begun within the time. Throws DATABASE_*, CANCELLED.
 */
export async function tryDump(options: DumpOptions): Promise<string | null> {
  const { connection, tool, database } = options;
  const { config, signal, server } = connection;
  const limit = AbortSignal.timeout(TRIAL_LIMIT_MS);
  // For its position a server of MySQL is locked, if only for a moment; a test locks nothing.
  const withPosition = options.withPosition && server.flavour === 'mariadb';
  const trial = connection.withSignal(AbortSignal.any([signal, limit]));
  const running = trial.startWith(tool, dumpArgs({ ...options, withPosition }, true));
  running.endInput();
  await drain(running.output);
  const end = await running.ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (limit.aborted || isSuccess(end)) return null;
  const error = toolError(end, { tool: tool.name, doing: `dump ${database}`, config });
  if (error.code !== 'DATABASE_PERMISSION') throw error;
  return `A backup would fail: ${error.message}`;
}
