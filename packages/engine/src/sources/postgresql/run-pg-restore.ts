/** Runs pg_restore into a scratch database: from a stream, or from what lies in the folder for temporary files. */
import { AppError } from '@backupx/contracts/errors';
import { drain, isSuccess, startTool, type ToolCommand, type ToolProcess } from '../../ports/processes.ts';
import { failureOf } from './failures.ts';
import type { Server } from './server.ts';

export interface RestoreRun {
  readonly command: ToolCommand;
  readonly database: string;
  readonly server: Server;
  readonly signal: AbortSignal;
  readonly parallelJobs: number;
  onBytes(bytes: number): void;
}

/** Feeds it while it reads, and reads on behind the last entry it wants. Throws DATABASE_*, and what the bytes throw. */
export async function restoreFromStream(bytes: AsyncIterable<Uint8Array>, run: RestoreRun): Promise<void> {
  const tool = startTool(run.command, run.signal);
  const drained = drain(tool.output);
  try {
    let wantsMore = true;
    for await (const chunk of bytes) {
      run.onBytes(chunk.byteLength);
      // It stops reading behind the last entry it wants; the rest is read to know that the dump is whole.
      if (wantsMore) wantsMore = await tool.write(chunk);
      if (!wantsMore) await assertWell(tool, run);
    }
    tool.endInput();
    await assertWell(tool, run);
  } finally {
    tool.kill();
    await tool.ended;
    await drained;
  }
}

/** Lets it read a file or a folder. Throws DATABASE_*. */
export async function restoreFromPath(path: string, run: RestoreRun): Promise<void> {
  const tool = startTool({ ...run.command, args: [...run.command.args, path] }, run.signal);
  tool.endInput();
  await drain(tool.output);
  await assertWell(tool, run);
}

async function assertWell(tool: ToolProcess, { signal, database, server }: RestoreRun): Promise<void> {
  const end = await tool.ended;
  if (signal.aborted) throw new AppError('CANCELLED');
  if (!isSuccess(end)) throw failureOf(end, server.place('pg_restore', database));
}
