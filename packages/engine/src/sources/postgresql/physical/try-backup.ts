/** A base backup for the connection test. */
import { AppError } from '@backupx/contracts/errors';
import { printsSomething, startTool } from '../../../ports/processes.ts';
import { failureOf } from '../failures.ts';
import type { Programs } from '../programs.ts';
import type { Server } from '../server.ts';
import { argumentsFor, PROGRAM } from './base-backup.ts';
import type { PhysicalConfig } from './settings.ts';

const TRIAL_LIMIT_MS = 10_000;
/** What it says of a server with tablespaces when all else is right; a backup goes by way of a folder then. */
const HAS_TABLESPACES = /can only write single tablespace to stdout/;

/** What is tried, and where. */
export interface Trial {
  readonly server: Server;
  readonly programs: Programs;
  readonly config: PhysicalConfig;
  readonly signal: AbortSignal;
}

/**
 * The program itself with the arguments of a backup, until it sends its first bytes. With `spread` the server may take
 * minutes for its checkpoint before that; who waits for it has got in, which is what was asked. Throws DATABASE_*, CANCELLED.
 */
export async function tryBackup({ server, programs, config, signal }: Trial): Promise<void> {
  const limit = AbortSignal.timeout(TRIAL_LIMIT_MS);
  const command = server.command(programs, PROGRAM, [...argumentsFor({ server, config }), '--pgdata=-']);
  const running = startTool(command, AbortSignal.any([signal, limit]));
  running.endInput();
  const hasBegun = await printsSomething(running);
  running.kill();
  const end = await running.ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (hasBegun || limit.aborted || HAS_TABLESPACES.test(end.messages)) return;
  throw failureOf(end, server.place(PROGRAM, config.maintenanceDatabase));
}
