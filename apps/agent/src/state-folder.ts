/** The agent's memory between starts: who it is, what it was doing, what it could not yet report. Mode 0700. */
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';

export interface StateFolder {
  readonly path: string;
  /** Stable per installation. */
  readonly instanceId: string;
  /** Folder of the journal and of log spools. */
  readonly journalDir: string;
  readonly spoolDir: string;
  /** Lets another agent use the folder. */
  release(): void;
}

/** `/var/lib/backupx-agent` for root where that can be written, otherwise below the home folder. */
export function defaultStateDir(environment: Readonly<Record<string, string | undefined>>): string {
  const system = '/var/lib/backupx-agent';
  if (process.getuid?.() === 0 && (canWrite(system) || canWrite(dirname(system)))) return system;
  return join(environment.HOME || homedir(), '.local', 'state', 'backupx-agent');
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Creates or opens the folder and keeps other agents out of it. Throws `CONFIG_INVALID`. */
export async function openStateFolder(path: string): Promise<StateFolder> {
  try {
    const journalDir = join(path, 'journal');
    const spoolDir = join(path, 'spool');
    for (const dir of [path, journalDir, spoolDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    const lock = await lockFolder(path);
    return { path, journalDir, spoolDir, instanceId: readInstanceId(path), release: () => void lock.close() };
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = (error as Error).message;
    throw new AppError('CONFIG_INVALID', { problems: `state folder ${path}: ${reason}` }, { cause: error });
  }
}

function readInstanceId(path: string): string {
  const file = join(path, 'instanceId');
  try {
    const known = readFileSync(file, 'utf8').trim();
    if (/^[\w-]{8,64}$/.test(known)) return known;
  } catch {
    // First start: made below.
  }
  const created = randomUUID();
  writeFileSync(file, `${created}\n`, { mode: 0o600 });
  return created;
}

/**
 * Two agents on one folder would report each other's runs as interrupted. A listening socket is the lock, because it
 * vanishes with the process however that ends; on Linux it lies in the abstract name space and leaves no file behind.
 */
async function lockFolder(path: string): Promise<Server> {
  const name = `backupx-agent-${createHash('sha256').update(realpathSync(path)).digest('hex').slice(0, 24)}`;
  const address = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}-${process.pid}.sock`);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const problems = `another agent already uses the state folder ${path}; give this one its own --state-dir`;
      reject(error.code === 'EADDRINUSE' ? new AppError('CONFIG_INVALID', { problems }, { cause: error }) : error);
    });
    server.listen(address, resolve);
  });
  return server;
}
