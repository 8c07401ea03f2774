/** Runs pg_restore into a scratch database: from a stream, or from what lies in the folder for temporary files. */
import { AppError } from '@backupx/contracts/errors';
import { drain, isSuccess, startTool, type ToolCommand, type ToolProcess } from '../../ports/processes.ts';
import { failureOf } from './failures.ts';
import type { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';
import { ServerWatch } from './server-watch.ts';

export interface RestoreRun {
  readonly command: ToolCommand;
  readonly database: string;
  readonly server: Server;
  /** A session that nobody else uses meanwhile. */
  readonly admin: PsqlSession;
  readonly signal: AbortSignal;
  readonly parallelJobs: number;
  onBytes(bytes: number): void;
}

/** Feeds it while it reads, and reads on behind the last entry it wants. Throws DATABASE_*, and what the bytes throw. */
export async function restoreFromStream(bytes: AsyncIterable<Uint8Array>, run: RestoreRun): Promise<void> {
  const watch = new ServerWatch(run.admin, run.signal);
  const tool = startTool(run.command, watch.signal);
  const drained = drain(tool.output);
  try {
    let wantsMore = true;
    for await (const chunk of bytes) {
      run.onBytes(chunk.byteLength);
      // It stops reading behind the last entry it wants; the rest is read to know that the dump is whole.
      if (wantsMore) wantsMore = await tool.write(chunk);
      if (!wantsMore) await assertWell(tool, run, watch);
    }
    tool.endInput();
    await assertWell(tool, run, watch);
  } finally {
    tool.kill();
    await tool.ended;
    await drained;
    await watch.stop();
  }
}

/** Lets it read a file or a folder. Throws DATABASE_*. */
export async function restoreFromPath(path: string, run: RestoreRun): Promise<void> {
  const watch = new ServerWatch(run.admin, run.signal);
  const tool = startTool({ ...run.command, args: [...run.command.args, path] }, watch.signal);
  tool.endInput();
  try {
    await drain(tool.output);
    await assertWell(tool, run, watch);
  } finally {
    await watch.stop();
  }
}

async function assertWell(
  tool: ToolProcess,
  { signal, database, server }: RestoreRun,
  watch: ServerWatch,
): Promise<void> {
  const end = await tool.ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (watch.failure !== null) throw watch.failure;
  if (!isSuccess(end)) throw failureOf(end, server.place('pg_restore', database));
}
