/** A real master on loopback with a private data folder, and a small typed-by-hand client for it. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord, RestoreRecord } from '@backupx/contracts/api/records';
import type { StorageTarget } from '@backupx/contracts/api/storage-targets';
import type { Task, TaskInput } from '@backupx/contracts/api/tasks';
import { freePort, type Program, startProgram, waitFor } from './start-program.ts';

export const adminLogin = { username: 'admin', password: 'correct horse battery' };

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(`${status} ${code}: ${message}`);
    this.status = status;
    this.code = code;
  }
}

export interface Client {
  readonly url: string;
  readonly token: string;
  call<T>(method: string, route: string, body?: unknown): Promise<T>;
}

export function createClient(url: string, token: string): Client {
  return {
    url,
    token,
    async call<T>(method: string, route: string, body?: unknown): Promise<T> {
      const response = await fetch(`${url}${route}`, {
        method,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const answer = (await response.json()) as { code: string; message: string; data: T };
      if (answer.code !== 'OK') throw new ApiError(response.status, answer.code, answer.message);
      return answer.data;
    },
  };
}

export interface Master {
  readonly url: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly client: Client;
  program: Program;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts a master below `folder` and creates the administrator, unless set-up is left to the test. */
export async function startMaster(folder: string, options: { isSetUp?: boolean } = {}): Promise<Master> {
  const port = await freePort();
  const dataFolder = path.join(folder, 'data');
  mkdirSync(dataFolder, { recursive: true });
  const url = `http://127.0.0.1:${port}`;
  const launch = async (): Promise<Program> => {
    const program = startProgram(['server', '--host', '127.0.0.1', '--port', String(port), '--data-dir', dataFolder], {
      cwd: folder,
    });
    await waitFor(`the master answers\n${program.output()}`, async () => (await fetch(`${url}/ready`)).ok).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${program.output()}`);
      },
    );
    return program;
  };
  const program = await launch();
  const session =
    options.isSetUp === false
      ? { token: '' }
      : await createClient(url, '').call<{ token: string }>('POST', '/api/auth/setup', adminLogin);
  const master: Master = {
    url,
    port,
    dataFolder,
    client: createClient(url, session.token),
    program,
    async restart() {
      master.program = await launch();
    },
    stop: (signal) => master.program.stop(signal),
  };
  return master;
}

export function createLocalTarget(
  client: Client,
  basePath: string,
  more: { name?: string; masterRelay?: boolean } = {},
): Promise<StorageTarget> {
  return client.call('POST', '/api/storage-targets', {
    name: more.name ?? 'disk',
    type: 'local_disk',
    config: { basePath, masterRelay: more.masterRelay ?? false },
  });
}

export function createTask(
  client: Client,
  input: Partial<TaskInput> & Pick<TaskInput, 'name' | 'storageTargetIds'>,
): Promise<Task> {
  return client.call('POST', '/api/backup/tasks', { type: 'file', ...input });
}

/** Starts a task and waits for its end. */
export async function runTask(client: Client, taskId: number, timeoutMs = 120_000): Promise<BackupRecord> {
  const record = await client.call<BackupRecord>('POST', `/api/backup/tasks/${taskId}/run`);
  return waitForRecord(client, record.id, timeoutMs);
}

export function waitForRecord(client: Client, recordId: number, timeoutMs = 120_000): Promise<BackupRecord> {
  return waitFor(
    `record ${recordId} ends`,
    async () => {
      const record = await client.call<BackupRecord>('GET', `/api/backup/records/${recordId}`);
      return record.status === 'running' ? null : record;
    },
    timeoutMs,
  );
}

export async function restoreRecord(
  client: Client,
  recordId: number,
  input: object,
  timeoutMs = 120_000,
): Promise<RestoreRecord> {
  const restore = await client.call<RestoreRecord>('POST', `/api/backup/records/${recordId}/restore`, input);
  return await waitForRestore(client, restore.id, timeoutMs);
}

export function waitForRestore(client: Client, id: number, timeoutMs = 120_000): Promise<RestoreRecord> {
  return waitFor(
    `restore ${id} ends`,
    async () => {
      const current = await client.call<RestoreRecord>('GET', `/api/restore/records/${id}`);
      return current.status === 'running' ? null : current;
    },
    timeoutMs,
  );
}
