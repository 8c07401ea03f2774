/** Starts the program that copies the files of a running server. */
import { AppError } from '@backupx/contracts/errors';
import { printsSomething, type ToolEnd, type ToolProcess } from '../../../ports/processes.ts';
import { SecretFolder } from '../../../ports/secret-folder.ts';
import type { MysqlConnection, Tool } from '../connection.ts';
import { toolError } from '../tool-error.ts';
import { streamFormatOf } from './backup-tool.ts';
import { COPY_PROGRESS } from './copy-warnings.ts';

export interface CopyPlace {
  readonly connection: MysqlConnection;
  readonly tool: Tool;
  readonly dataFolder: string;
}

const TRIAL_LIMIT_MS = 30_000;

/** `asidePath`: a folder for what it has to keep on the way. */
export function startCopy({ connection, tool, dataFolder }: CopyPlace, asidePath: string): ToolProcess {
  const args = ['--backup', `--stream=${streamFormatOf(tool.flavour)}`, '--parallel=1', `--datadir=${dataFolder}`];
  const all = [...args, `--target-dir=${asidePath}`, ...hostArgs(connection)];
  const running = connection.startWith(tool, all, { progressLines: COPY_PROGRESS });
  running.endInput();
  return running;
}

/**
 * To xtrabackup, which knows no protocol, that very word means the usual socket: of another server, perhaps. Certificates
 * do not tell its case. Exported for its test.
 */
export function hostArgs({ config, server }: Pick<MysqlConnection, 'config' | 'server'>): string[] {
  if (server.flavour === 'mariadb' || config.dbSocket !== '' || config.dbHost.toLowerCase() !== 'localhost') return [];
  return [`--host=${config.tlsMode === 'verify-full' ? 'LOCALHOST' : '127.0.0.1'}`];
}

/** What it means when it did not end well. */
export function copyError(end: ToolEnd, { connection, tool }: CopyPlace): AppError {
  return toolError(end, { tool: tool.name, doing: 'copy it', config: connection.config });
}

/**
 * The copy itself, until it sends its first bytes: by then the program has logged in, found its rights, and opened the
 * files of the server. What fails here would fail at night. Throws DATABASE_*, CANCELLED.
 */
export async function tryCopy(place: CopyPlace, tempDir: string): Promise<void> {
  const { signal } = place.connection;
  const limit = AbortSignal.timeout(TRIAL_LIMIT_MS);
  const connection = place.connection.withSignal(AbortSignal.any([signal, limit]));
  const aside = new SecretFolder(tempDir);
  try {
    const running = startCopy({ ...place, connection }, aside.path);
    const hasBegun = await printsSomething(running);
    running.kill();
    const end = await running.ended;
    if (signal.aborted) throw new AppError('CANCELLED');
    if (!hasBegun && !limit.aborted) throw copyError(end, place);
  } finally {
    aside.remove();
  }
}
