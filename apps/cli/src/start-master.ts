/** The master as the command line starts it; loaded only by the commands that need it. */
import { AppError } from '@backupx/contracts/errors';
import type { RunningServer, ServerFlags } from '@backupx/server/main';

/** Starts the master in this process. Throws `CONFIG_INVALID` naming the port when that is taken. */
export async function startMaster(flags: ServerFlags): Promise<RunningServer> {
  const { runServer } = await import('@backupx/server/main');
  try {
    return await runServer({ flags });
  } catch (error) {
    throw portProblem(error) ?? error;
  }
}

/** The system's "address already in use" lies somewhere in the chain of causes. */
function portProblem(error: unknown): AppError | null {
  for (let current = error as ListenError | undefined; current; current = current.cause as ListenError | undefined) {
    if (current.code !== 'EADDRINUSE' && current.code !== 'EACCES') continue;
    const why = current.code === 'EACCES' ? 'may not be opened by this user' : 'is already in use';
    const problems = `port ${current.port ?? ''} ${why}; choose another one with --port`;
    return new AppError('CONFIG_INVALID', { problems }, { cause: error });
  }
  return null;
}

interface ListenError extends Error {
  readonly code?: string;
  readonly port?: number;
}
