/** A mongod of this machine, started for a proof: on a private socket, no network, a folder that goes with it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { findTool } from '../../ports/find-tool.ts';
import { startTool, type ToolProcess } from '../../ports/processes.ts';
import { MongodbConnection } from './connection.ts';
import { type ConnectionConfig, configSchema } from './settings.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
/** Longer paths of sockets the system does not take. */
const MAX_SOCKET_PATH = 100;
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
    const folder = makeFolder(options.tempDir);
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

function makeFolder(tempDir: string): string {
  mkdirSync(tempDir, { recursive: true });
  const folder = mkdtempSync(join(tempDir, 'mongo-'));
  if (folder.length + SOCKET.length < MAX_SOCKET_PATH) return folder;
  rmSync(folder, { recursive: true });
  return mkdtempSync(join(tmpdir(), 'backupx-mongo-'));
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
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  // It writes into its log; what it prints all the same must not fill the pipe.
  void (async () => {
    for await (const _ of running.output);
  })().catch(() => {});
  const deadline = systemClock.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await MongodbConnection.open(config, { tempDir, signal });
    } catch (error) {
      const isUp = !(error instanceof AppError) || error.code !== 'DATABASE_UNREACHABLE';
      if (isUp || signal.aborted) throw error;
      if (ended || systemClock.monotonicMs() > deadline) {
        const reason = tailOf(join(folder, 'log'));
        throw new AppError('DATABASE_TOOL_FAILED', { tool: 'mongod', reason }, { cause: error });
      }
      await systemClock.sleep(POLL_MS, signal);
    }
  }
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-3).join(' / ');
  } catch {
    return 'it did not start';
  }
}
