/** A server of this machine's own programs, started for a proof: on a private socket, in a folder that goes with it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTool, type ToolCommand, type ToolProcess } from './processes.ts';
import { makeSocketFolder, untilAnswered } from './scratch-place.ts';

export interface ScratchOptions<T> {
  readonly tempDir: string;
  readonly signal: AbortSignal;
  /** For messages: `mongod`. */
  readonly name: string;
  /** Puts into the folder what the server needs there. */
  prepare(folder: string): void | Promise<void>;
  /** Its log goes into `log` in the folder. */
  command(folder: string): ToolCommand;
  /** Logs in. */
  open(folder: string): Promise<T>;
}

/** A running one. */
export interface Scratch<T> {
  readonly connection: T;
  /** Logs out, ends it and removes its folder; the latter two also when the first fails. */
  close(): Promise<void>;
}

/** See above. Throws DATABASE_TOOL_FAILED, and what `prepare` and `open` throw; then nothing is left of it. */
export async function startScratch<T extends { close(): void | Promise<void> }>(
  options: ScratchOptions<T>,
): Promise<Scratch<T>> {
  const { tempDir, signal, name } = options;
  const folder = makeSocketFolder(tempDir);
  let running: ToolProcess | null = null;
  const end = async () => {
    running?.kill();
    await running?.ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await options.prepare(folder);
    running = startTool(options.command(folder), signal);
    const open = () => options.open(folder);
    const connection = await untilAnswered(running, { open, name, logFile: join(folder, 'log'), signal });
    return {
      connection,
      async close() {
        try {
          await connection.close();
        } finally {
          await end();
        }
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
