/**
 * A server of this machine that is started to load a dump: on a private socket, without a port, in a private folder, as
 * a replica of nobody, since a replica deletes no key that has expired, so that all of them can be counted.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock, waitAtMost } from '../../ports/clock.ts';
import { findTool } from '../../ports/find-tool.ts';
import { describeEnd, startTool, type ToolProcess } from '../../ports/processes.ts';
import { redisConfigSchema } from './config.ts';
import { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';

const PAUSE_MS = 50;
const START_SECONDS = 30;
const STOP_MS = 10_000;
const SAID_BYTES = 4096;
/** A socket's path has room for 107 bytes. */
const MAX_SOCKET_PATH = 107;

/** Absolute path of redis-server, or of Valkey's. Throws DATABASE_TOOL_MISSING. */
export function findServerProgram(): string {
  const program = findTool(['redis-server', 'valkey-server']);
  if (program !== null) return program;
  throw new AppError('DATABASE_TOOL_MISSING', { tool: 'redis-server', package: 'redis-server (or valkey-server)' });
}

export interface ScratchServerOptions {
  /** The dump, in a folder that only this user can enter. */
  readonly dumpPath: string;
  /** At least so many database numbers. */
  readonly databases: number;
  /** How messages call the dump. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/** See above. `stop` in every case. */
export class ScratchServer {
  readonly #tool: ToolProcess;
  readonly #socketPath: string;
  readonly #options: ScratchServerOptions;
  #said = '';
  #hasEnded = false;

  /** Starts it and waits until it has loaded the dump. Throws DATABASE_TOOL_MISSING, _TOOL_MISMATCH, _DUMP_DAMAGED. */
  static async start(options: ScratchServerOptions): Promise<ScratchServer> {
    const server = new ScratchServer(options);
    try {
      await server.#waitUntilLoaded();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(options: ScratchServerOptions) {
    const folder = dirname(options.dumpPath);
    this.#options = options;
    this.#socketPath = join(folder, 's');
    if (Buffer.byteLength(this.#socketPath) > MAX_SOCKET_PATH) {
      const reason = `its path is too long for a socket (${MAX_SOCKET_PATH} bytes)`;
      throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason });
    }
    const args = [
      ...['--port', '0', '--unixsocket', this.#socketPath, '--unixsocketperm', '700', '--dir', folder],
      ...['--dbfilename', basename(options.dumpPath), '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
      ...['--replicaof', '127.0.0.1', '1', '--databases', String(options.databases), '--loglevel', 'notice'],
    ];
    this.#tool = startTool({ program: findServerProgram(), args, cwd: folder }, options.signal);
    this.#tool.endInput();
    void this.#listen();
  }

  async connect(): Promise<RedisConnection> {
    return await RedisConnection.open(redisConfigSchema.parse({ dbHost: this.#socketPath }), this.#options.signal);
  }

  /** Idempotent; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#tool.kill();
    await waitAtMost(systemClock, this.#tool.ended, STOP_MS);
  }

  /** Its log goes to its output. */
  async #listen(): Promise<void> {
    try {
      for await (const chunk of this.#tool.output) {
        this.#said = (this.#said + Buffer.from(chunk).toString('utf8')).slice(-SAID_BYTES);
      }
    } catch {
      // It was killed.
    }
    await this.#tool.ended;
    this.#hasEnded = true;
  }

  /** Loading may take as long as it takes; the start before it may not. */
  async #waitUntilLoaded(): Promise<void> {
    const until = systemClock.monotonicMs() + START_SECONDS * 1000;
    for (;;) {
      if (this.#options.signal.aborted) throw new AppError('CANCELLED');
      if (this.#hasEnded) throw await this.#startFailure();
      if (existsSync(this.#socketPath)) {
        if (await this.#isLoaded()) return;
      } else if (systemClock.monotonicMs() > until) {
        throw new AppError('TIMEOUT', { what: 'Starting redis-server', seconds: START_SECONDS });
      }
      await systemClock.sleep(PAUSE_MS);
    }
  }

  async #isLoaded(): Promise<boolean> {
    try {
      const connection = await this.connect();
      const reply = await connection.ask('DBSIZE');
      connection.close();
      return !(reply instanceof RedisRefusal);
    } catch {
      return false;
    }
  }

  async #startFailure(): Promise<AppError> {
    const end = await this.#tool.ended;
    const lines = this.#said.split('\n').filter((line) => line.trim() !== '');
    const newer = /handle RDB format version (\d+)/.exec(this.#said)?.[1];
    const module = /no matching module type '?([^'\s]+)/i.exec(this.#said)?.[1];
    if (newer !== undefined || module !== undefined) {
      const [toolVersion, serverVersion] =
        module === undefined
          ? ['of this machine', `that wrote RDB version ${newer}, which is newer`]
          : [`without the module ${module}`, 'that wrote the dump'];
      const fitting = 'redis-server as on the server that was backed up';
      return new AppError('DATABASE_TOOL_MISMATCH', {
        tool: 'redis-server',
        toolVersion,
        serverVersion,
        package: fitting,
      });
    }
    const reason = `redis-server did not load it: ${lines.slice(-3).join(' / ') || describeEnd(end)}`;
    return new AppError('DATABASE_DUMP_DAMAGED', { name: this.#options.name, reason });
  }
}
