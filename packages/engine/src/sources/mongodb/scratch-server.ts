/** A mongod of this machine, started for a proof. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { type Scratch, startScratch } from '../../ports/start-scratch.ts';
import { MongodbConnection } from './connection.ts';
import { type ConnectionConfig, configSchema } from './settings.ts';

const SOCKET = 's.sock';

export interface ScratchOptions {
  readonly tempDir: string;
  readonly signal: AbortSignal;
  readonly program: ConnectionConfig['program'];
  readonly toolFolder: string;
}

/** Throws DATABASE_TOOL_MISSING, DATABASE_TOOL_FAILED. */
export async function startScratchServer(options: ScratchOptions): Promise<Scratch<MongodbConnection>> {
  const { tempDir, signal, program: tools, toolFolder } = options;
  const program = findTool(['mongod'], toolFolder === '' ? [] : [toolFolder]);
  if (program === null) {
    const hint = 'mongodb-org-server (from mongodb.com), or name a server for the check';
    throw new AppError('DATABASE_TOOL_MISSING', { tool: 'mongod', package: hint });
  }
  return await startScratch({
    ...{ tempDir, signal, name: 'mongod' },
    prepare: (folder) => mkdirSync(join(folder, 'data')),
    command: (folder) => ({ program, args: serverArgs(folder) }),
    async open(folder) {
      const config = configSchema.parse({ dbHost: join(folder, SOCKET), program: tools, toolFolder });
      return await MongodbConnection.open(config, { tempDir, signal });
    },
  });
}

function serverArgs(folder: string): string[] {
  return [
    ...[`--dbpath=${join(folder, 'data')}`, `--bind_ip=${join(folder, SOCKET)}`, `--unixSocketPrefix=${folder}`],
    ...[`--logpath=${join(folder, 'log')}`, '--wiredTigerCacheSizeGB=0.5'],
  ];
}
