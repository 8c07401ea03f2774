/** Makes a copy of files of many moments one of a single moment: with the program of the series that made it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { describeEnd, isSuccess, runTool } from '../../../ports/processes.ts';
import type { Tool } from '../connection.ts';
import { type Product, serverProduct } from '../flavour.ts';
import { findBackupTool } from './backup-tool.ts';

const PREPARE_TIMEOUT_MS = 24 * 60 * 60 * 1000;

export interface PrepareOptions {
  readonly toolFolder: string;
  readonly signal: AbortSignal;
}

/** Which server the copy was made of. Throws ARTIFACT_DAMAGED. */
export function productOfCopy(folder: string): Product {
  for (const name of ['xtrabackup_info', 'mariadb_backup_info']) {
    const version = /^server_version = (\S+)/m.exec(readIfThere(join(folder, name)))?.[1];
    if (version !== undefined) return serverProduct(version);
  }
  throw new AppError('ARTIFACT_DAMAGED', { reason: 'it does not say which server it was made of (xtrabackup_info)' });
}

/** Throws DATABASE_TOOL_*, CANCELLED. */
export async function prepareCopy(folder: string, options: PrepareOptions): Promise<Tool> {
  const tool = await findBackupTool(productOfCopy(folder), options);
  const command = { program: tool.path, args: ['--no-defaults', '--prepare', `--target-dir=${folder}`], cwd: folder };
  const end = await runTool(command, { signal: options.signal, timeoutMs: PREPARE_TIMEOUT_MS });
  if (!isSuccess(end) || !/completed OK!\s*$/.test(end.messages)) {
    throw new AppError('DATABASE_TOOL_FAILED', { tool: `${tool.name} --prepare`, reason: describeEnd(end) });
  }
  return tool;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
