/** A mongod of this machine, started for a proof: on a private socket, no network, a folder that goes with it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { startTool, type ToolProcess } from '../../ports/processes.ts';
import { makeSocketFolder, untilAnswered } from '../../ports/scratch-place.ts';
import { MongodbConnection } from './connection.ts';
import { type ConnectionConfig, configSchema } from './settings.ts';

const SOCKET = 's.sock';

export interface ScratchOptions {
  readonly tempDir: string;
  readonly signal: AbortSignal;
  readonly program: ConnectionConfig['program'];
  readonly toolFolder: string;
}

/** A running one. `close` ends it and removes its folder. */
export class ScratchServer {
  readonly connection: MongodbConnection;
  readonly #process: ToolProcess;
  readonly #folder: string;

  private constructor(connection: MongodbConnection, running: ToolProcess, folder: string) {
    this.connection = connection;
    this.#process = running;
    this.#folder = folder;
  }

  /** Throws DATABASE_TOOL_MISSING, DATABASE_TOOL_FAILED. */
  static async start(options: ScratchOptions): Promise<ScratchServer> {
    const program = findTool(['mongod'], options.toolFolder === '' ? [] : [options.toolFolder]);
    if (program === null) {
      const hint = 'mongodb-org-server (from mongodb.com), or name a server for the check';
      throw new AppError('DATABASE_TOOL_MISSING', { tool: 'mongod', package: hint });
    }
    const folder = makeSocketFolder(options.tempDir);
    let running: ToolProcess | null = null;
    try {
      mkdirSync(join(folder, 'data'));
      running = startTool({ program, args: serverArgs(folder) }, options.signal);
      return new ScratchServer(await connect(running, folder, options), running, folder);
    } catch (error) {
      running?.kill();
      await running?.ended;
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
    this.#process.kill();
    await this.#process.ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function serverArgs(folder: string): string[] {
  return [
    ...[`--dbpath=${join(folder, 'data')}`, `--bind_ip=${join(folder, SOCKET)}`, `--unixSocketPrefix=${folder}`],
    ...[`--logpath=${join(folder, 'log')}`, '--wiredTigerCacheSizeGB=0.5'],
  ];
}

async function connect(running: ToolProcess, folder: string, options: ScratchOptions): Promise<MongodbConnection> {
  const { tempDir, signal, program, toolFolder } = options;
  const config = configSchema.parse({ dbHost: join(folder, SOCKET), program, toolFolder });
  return await untilAnswered(running, {
    open: () => MongodbConnection.open(config, { tempDir, signal }),
    name: 'mongod',
    logFile: join(folder, 'log'),
    signal,
  });
}
