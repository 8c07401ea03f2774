/** A server of this machine's own programs for one verification: a private socket, no network, gone afterwards. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { findTool } from '../../ports/find-tool.ts';
import { isMarkAlive, processMark } from '../../ports/process-mark.ts';
import { describeEnd, isSuccess, runTool, startTool, type ToolProcess } from '../../ports/processes.ts';
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

const PREFIX = 'backupx-verify-';
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

function hasServer(folder: string): boolean {
  return ['initdb', 'postgres'].every((name) => findTool([name], [folder]) === join(folder, name));
}

/** Throws DATABASE_TOOL_FAILED when it does not come up. */
export async function startScratchServer(
  programs: Programs,
  { tempDir, signal }: { tempDir: string; signal: AbortSignal },
): Promise<ScratchServer> {
  const owner = await serverUser(signal);
  const folder = makeFolder(owner ? folderFor(tempDir) : tempDir);
  const socketFolder = folder.length > MAX_SOCKET_FOLDER ? makeFolder(tmpdir()) : folder;
  const folders = [...new Set([folder, socketFolder])];
  const remove = () => {
    for (const path of folders) rmSync(path, { recursive: true, force: true });
  };
  try {
    for (const path of folders) {
      chmodSync(path, 0o700);
      if (owner) chownSync(path, owner.uid, owner.gid);
    }
    const data = join(folder, 'data');
    await initialize({ programs, data, owner, signal });
    const tool = startServer({ programs, data, owner, signal }, socketFolder);
    return await connect({ tool, programs, socketFolder, tempDir, signal, remove });
  } catch (error) {
    remove();
    throw error;
  }
}

/** In a folder that may outlive us; what a killed process left there is removed. */
function makeFolder(parent: string): string {
  for (const name of readdirSync(parent)) {
    const mark = name.startsWith(PREFIX) ? name.slice(PREFIX.length).replace(/-[^-]*$/, '') : null;
    if (mark !== null && !isMarkAlive(mark)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, `${PREFIX}${processMark}-`));
}

/** PostgreSQL refuses to be root's. Null: we are not root. */
async function serverUser(signal: AbortSignal): Promise<SystemUser | null> {
  if (process.getuid?.() !== 0) return null;
  return await findSystemUser('postgres', signal).catch(() => findSystemUser('nobody', signal));
}

interface Place {
  readonly programs: Programs;
  readonly data: string;
  readonly owner: SystemUser | null;
  readonly signal: AbortSignal;
}

async function initialize({ programs, data, owner, signal }: Place): Promise<void> {
  // Whoever can get at the socket is its owner or root.
  const args = ['-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const command = { program: join(programs.folder, 'initdb'), args, cwd: '/', ...(owner ? { runAs: owner } : {}) };
  const said = await runTool(command, { signal, timeoutMs: START_LIMIT_MS });
  if (!isSuccess(said)) throw new AppError('DATABASE_TOOL_FAILED', { tool: 'initdb', reason: describeEnd(said) });
}

function startServer({ programs, data, owner, signal }: Place, socketFolder: string): ToolProcess {
  mkdirSync(socketFolder, { recursive: true });
  const settings = {
    ...{
      listen_addresses: '',
      unix_socket_directories: socketFolder,
      port: PORT,
      fsync: 'off',
      full_page_writes: 'off',
    },
    ...{ synchronous_commit: 'off', wal_level: 'minimal', max_wal_senders: 0, autovacuum: 'off', max_wal_size: '1GB' },
    ...{ dynamic_shared_memory_type: 'mmap', logging_collector: 'off' },
  };
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const tool = startTool(
    { program: join(programs.folder, 'postgres'), args, cwd: '/', ...(owner ? { runAs: owner } : {}) },
    signal,
  );
  tool.endInput();
  void drain(tool);
  return tool;
}

async function drain(tool: ToolProcess): Promise<void> {
  try {
    for await (const _ of tool.output);
  } catch {
    // It was killed.
  }
}

async function connect(parts: {
  readonly tool: ToolProcess;
  readonly programs: Programs;
  readonly socketFolder: string;
  readonly tempDir: string;
  readonly signal: AbortSignal;
  remove(): void;
}): Promise<ScratchServer> {
  const { tool, programs, signal } = parts;
  let server: Server | null = null;
  const stop = async () => {
    tool.kill();
    await tool.ended;
    server?.close();
    parts.remove();
  };
  try {
    server = await Server.open(settingsFor(parts.socketFolder, programs.folder), parts.tempDir, signal);
    const admin = await waitUntilUp(server, tool, signal);
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

function settingsFor(socketFolder: string, toolFolder: string): ServerSettings {
  return {
    ...{ dbHost: socketFolder, dbPort: PORT, dbUser: 'postgres', dbPassword: '', tlsMode: 'disable' },
    ...{ tlsCa: '', tlsCertificate: '', tlsKey: '', systemUser: '', maintenanceDatabase: 'postgres', toolFolder },
  };
}

async function waitUntilUp(server: Server, tool: ToolProcess, signal: AbortSignal): Promise<PsqlSession> {
  const deadline = AbortSignal.timeout(START_LIMIT_MS);
  let hasEnded = false;
  void tool.ended.then(() => {
    hasEnded = true;
  });
  for (;;) {
    try {
      return await PsqlSession.open(server, 'postgres', signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (hasEnded)
        throw new AppError('DATABASE_TOOL_FAILED', { tool: 'postgres', reason: describeEnd(await tool.ended) });
      if (deadline.aborted) throw error;
      await systemClock.sleep(POLL_MS, signal);
    }
  }
}
