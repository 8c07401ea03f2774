/** A server of this machine's own programs for one verification: a private socket, no network, gone afterwards. */
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { findTool } from '../../ports/find-tool.ts';
import { describeEnd, drain, isSuccess, runTool, startTool, type ToolProcess } from '../../ports/processes.ts';
import { makeScratchFolder } from '../../ports/scratch-place.ts';
import type { Programs } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import { findSystemUser, folderFor, Server, type SystemUser } from './server.ts';
import type { ServerSettings } from './settings.ts';

export interface ScratchServer {
  readonly server: Server;
  readonly admin: PsqlSession;
  readonly major: number;
  close(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const POLL_MS = 100;
const PORT = 5432;
/** The path of a socket has room for 107 bytes, its own name among them. */
const MAX_SOCKET_FOLDER = 80;

/** The programs of the oldest installed server that can hold a dump of `major`. Throws DATABASE_TOOL_MISSING. */
export function serverPrograms(installed: readonly Programs[], major: number): Programs {
  const found = installed.find((item) => item.major >= major && hasServer(item.folder));
  if (!found)
    throw new AppError('DATABASE_TOOL_MISSING', { tool: 'postgres', package: `postgresql-${major} (or a newer one)` });
  return found;
}

/** True when a server can be made and started from this folder. */
export function hasServer(folder: string): boolean {
  return ['initdb', 'postgres'].every((name) => findTool([name], [folder]) === join(folder, name));
}

/** Throws DATABASE_TOOL_FAILED when it does not come up. */
export async function startScratchServer(
  programs: Programs,
  { tempDir, signal }: { tempDir: string; signal: AbortSignal },
): Promise<ScratchServer> {
  const place = await ScratchPlace.make(tempDir, signal);
  try {
    await initialize(programs, place, signal);
    return await startIn(place, {
      ...{ programs, tempDir, signal },
      login: 'postgres',
      database: 'postgres',
      settings: QUICK_SETTINGS,
    });
  } catch (error) {
    place.remove();
    throw error;
  }
}

/** Folders for one scratch server: for its data, and for its socket, whose path must be short. */
export class ScratchPlace {
  readonly folder: string;
  readonly socketFolder: string;
  /** Who runs the server. Null: we do. */
  readonly owner: SystemUser | null;

  private constructor(folder: string, socketFolder: string, owner: SystemUser | null) {
    this.folder = folder;
    this.socketFolder = socketFolder;
    this.owner = owner;
  }

  static async make(tempDir: string, signal: AbortSignal): Promise<ScratchPlace> {
    const owner = await serverUser(signal);
    const folder = makeScratchFolder(owner ? folderFor(tempDir) : tempDir);
    const socketFolder = folder.length > MAX_SOCKET_FOLDER ? makeScratchFolder(tmpdir()) : folder;
    const place = new ScratchPlace(folder, socketFolder, owner);
    try {
      for (const path of place.#folders) {
        chmodSync(path, 0o700);
        if (owner) chownSync(path, owner.uid, owner.gid);
      }
      return place;
    } catch (error) {
      place.remove();
      throw error;
    }
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get #folders(): readonly string[] {
    return [...new Set([this.folder, this.socketFolder])];
  }

  /** Idempotent. */
  remove(): void {
    for (const path of this.#folders) rmSync(path, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to be root's. Null: we are not root. */
async function serverUser(signal: AbortSignal): Promise<SystemUser | null> {
  if (process.getuid?.() !== 0) return null;
  return await findSystemUser('postgres', signal).catch(() => findSystemUser('nobody', signal));
}

async function initialize(
  programs: Programs,
  { data, owner }: Pick<ScratchPlace, 'data' | 'owner'>,
  signal: AbortSignal,
): Promise<void> {
  // Whoever can get at the socket is its owner or root.
  const args = ['-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const command = { program: join(programs.folder, 'initdb'), args, cwd: '/', ...(owner ? { runAs: owner } : {}) };
  const said = await runTool(command, { signal, timeoutMs: START_LIMIT_MS });
  if (!isSuccess(said)) throw new AppError('DATABASE_TOOL_FAILED', { tool: 'initdb', reason: describeEnd(said) });
}

/** What nobody needs to survive need not be safe. */
export const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_wal_size: '1GB' };
const QUICK_SETTINGS = { ...FAST_SETTINGS, wal_level: 'minimal', max_wal_senders: 0 };

export interface StartOptions {
  readonly programs: Programs;
  readonly tempDir: string;
  readonly signal: AbortSignal;
  /** A superuser of it, who gets in without a password. */
  readonly login: string;
  /** One that lets people in. */
  readonly database: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** How long it may take to come up; default one minute. */
  readonly limitMs?: number;
}

/** Starts a server on the data in this place, which goes when it is closed. Throws DATABASE_TOOL_FAILED. */
export async function startIn(place: ScratchPlace, options: StartOptions): Promise<ScratchServer> {
  const { programs, tempDir, signal } = options;
  const tool = startServer(place, options);
  let server: Server | null = null;
  const stop = async () => {
    tool.kill();
    await tool.ended;
    server?.close();
    place.remove();
  };
  try {
    const settings = settingsFor(place, options);
    server = await Server.open(settings, tempDir, signal);
    const admin = await waitUntilUp(server, tool, options);
    const close = async () => {
      await admin.close();
      await stop();
    };
    return { server, admin, major: programs.major, close };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startServer({ data, owner, socketFolder }: ScratchPlace, options: StartOptions): ToolProcess {
  const settings = {
    ...{ listen_addresses: '', unix_socket_directories: socketFolder, port: PORT, autovacuum: 'off' },
    ...{ dynamic_shared_memory_type: 'mmap', logging_collector: 'off', ...options.settings },
  };
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const program = join(options.programs.folder, 'postgres');
  const tool = startTool({ program, args, cwd: '/', ...(owner ? { runAs: owner } : {}) }, options.signal);
  tool.endInput();
  void drain(tool.output);
  return tool;
}

function settingsFor(place: ScratchPlace, { programs, login, database }: StartOptions): ServerSettings {
  return {
    ...{ dbHost: place.socketFolder, dbPort: PORT, dbUser: login, dbPassword: '', tlsMode: 'disable', tlsCa: '' },
    ...{ tlsCertificate: '', tlsKey: '', systemUser: '', maintenanceDatabase: database, toolFolder: programs.folder },
  };
}

async function waitUntilUp(
  server: Server,
  tool: ToolProcess,
  { signal, database, limitMs = START_LIMIT_MS }: StartOptions,
): Promise<PsqlSession> {
  const deadline = AbortSignal.timeout(limitMs);
  let hasEnded = false;
  void tool.ended.then(() => {
    hasEnded = true;
  });
  for (;;) {
    try {
      return await PsqlSession.open(server, database, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (hasEnded)
        throw new AppError('DATABASE_TOOL_FAILED', { tool: 'postgres', reason: describeEnd(await tool.ended) });
      if (deadline.aborted) throw error;
      await systemClock.sleep(POLL_MS, signal);
    }
  }
}
