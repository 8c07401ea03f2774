/** The master as the command line starts it; loaded only by the commands that need it. */
import { AppError } from '@backupx/contracts/errors';

/** What may be said on the command line; `undefined` leaves it to file, environment and defaults. */
export interface MasterFlags {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly dataDir?: string;
  readonly logFile?: string;
  /** Default true: the server itself stops at the first signal. */
  readonly handleSignals?: boolean;
}

/** Starts the master in this process. Throws `CONFIG_INVALID` naming the port when that is taken. */
export async function startMaster(flags: MasterFlags) {
  const { runServer } = await import('@backupx/server/main');
  try {
    return await runServer({ ...configOptions(flags), handleSignals: flags.handleSignals });
  } catch (error) {
    throw portProblem(error) ?? error;
  }
}

/** Command line flags in the names of the server's configuration. */
export function configOptions(flags: MasterFlags) {
  return {
    configPath: flags.config,
    flags: {
      data_dir: flags.dataDir,
      'server.host': flags.host,
      'server.port': flags.port,
      'log.file': flags.logFile,
    },
  };
}

/** The system's "address already in use" lies somewhere in the chain of causes. */
function portProblem(error: unknown): AppError | null {
  for (let current = error as ListenError | undefined; current; current = current.cause as ListenError | undefined) {
    if (current.syscall !== 'listen') continue;
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
  readonly syscall?: string;
}
