/** Where the files of the server lie: the programs read them from the disk of this machine, whatever host they log in to. */
import { accessSync, constants, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { MysqlConnection } from '../connection.ts';
import type { PhysicalConfig } from './physical-settings.ts';

/** The data folder. Throws SOURCE_NOT_READABLE when the server runs elsewhere, or its files cannot be read. */
export async function findDataFolder(connection: MysqlConnection, config: PhysicalConfig): Promise<string> {
  const [[told = '', host = ''] = []] = await connection.query('SELECT @@GLOBAL.datadir, @@GLOBAL.hostname');
  const folder = (config.dataFolder || told).replace(/(?<=.)\/+$/, '');
  const refuse = (reason: string, cause?: unknown) =>
    new AppError('SOURCE_NOT_READABLE', { path: folder, reason }, { cause });
  if (config.dataFolder === '' && host !== hostname()) {
    throw refuse(
      `the server runs on ${host} and this is ${hostname()}: a physical backup runs on the server's own machine (for a container on this machine, set the data folder)`,
    );
  }
  try {
    accessSync(join(folder, 'ibdata1'), constants.R_OK);
    readdirSync(join(folder, 'mysql'));
  } catch (error) {
    throw refuse(`the files of the server are not there or may not be read (${(error as Error).message})`, error);
  }
  return folder;
}
