/** Makes a copy of files of many moments one of a single moment: with the program of the series that made it. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { describeEnd, isSuccess, runTool } from '../../../ports/processes.ts';
import type { Tool } from '../connection.ts';
import { type Product, serverProduct } from '../flavour.ts';
import { keyArgsOf, keyFileOf, keySecretOf, readingArgsOf, serverArgsOf } from './backup-notes.ts';
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

/** The option file that came with a copy. */
export const settingsOfCopy = (folder: string): string => readIfThere(join(folder, 'backup-my.cnf'));

const SECRET_FILE = 'backupx-filekey';

/** What a server must be told to read the files of a copy, as arguments. A password it needs lies in the copy then. */
export function argsOfCopy(folder: string): string[] {
  const settings = settingsOfCopy(folder);
  const [secret, file] = [keySecretOf(settings), join(folder, SECRET_FILE)];
  if (secret !== null) writeFileSync(file, secret, { mode: 0o600 });
  return [...serverArgsOf(settings, productOfCopy(folder).flavour), ...keyArgsOf(settings, file)];
}

/** Throws DATABASE_TOOL_*, CANCELLED. */
export async function prepareCopy(folder: string, options: PrepareOptions): Promise<Tool> {
  const tool = await findBackupTool(productOfCopy(folder), options);
  removeLinks(folder);
  const settings = settingsOfCopy(folder);
  const file = join(folder, 'backup-my.cnf');
  // Not the file as it is: it may name programs to load. What it says of keys is taken from nowhere else.
  const keys = keyFileOf(settings);
  if (keys !== '') writeFileSync(file, keys);
  try {
    const defaults = keys === '' ? '--no-defaults' : `--defaults-file=${file}`;
    const args = [defaults, '--prepare', `--target-dir=${folder}`, ...readingArgsOf(settings, tool.flavour)];
    const command = { program: tool.path, args, cwd: folder };
    const end = await runTool(command, { signal: options.signal, timeoutMs: PREPARE_TIMEOUT_MS });
    if (!isSuccess(end) || !/completed OK!\s*$/.test(end.messages)) {
      throw new AppError('DATABASE_TOOL_FAILED', { tool: `${tool.name} --prepare`, reason: describeEnd(end) });
    }
  } finally {
    if (keys !== '') writeFileSync(file, settings);
  }
  return tool;
}

/**
 * `t.isl` says where the file of a table lay outside of the data folder. The copy has that file inside; a server that
 * finds the one of the original too opens neither.
 */
function removeLinks(folder: string): void {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    if (!item.isDirectory()) continue;
    const names = readdirSync(join(folder, item.name)).filter((name) => name.endsWith('.isl'));
    for (const name of names) rmSync(join(folder, item.name, name), { force: true });
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
