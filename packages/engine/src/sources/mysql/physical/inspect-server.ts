import { type AppError, toAppError } from '@backupx/contracts/errors';
import type { InspectContext, SourceInspection } from '../../../ports/source.ts';
import { MysqlConnection } from '../connection.ts';
import { describeProduct } from '../flavour.ts';
import { databaseSizes } from '../inspect.ts';
import { listDatabases } from '../list-databases.ts';
import { readPrivileges } from '../privileges.ts';
import { findBackupTool } from './backup-tool.ts';
import { encryptionDoubts } from './encryption-doubts.ts';
import { missingPhysicalRights, physicalUserSql } from './physical-rights.ts';
import type { PhysicalConfig } from './physical-settings.ts';
import { findDataFolder } from './server-place.ts';
import { tryCopy } from './start-copy.ts';

/** Logs in as a backup would, and tells what it would find and miss. Throws DATABASE_*, SOURCE_NOT_READABLE. */
export async function inspectPhysical(config: PhysicalConfig, context: InspectContext): Promise<SourceInspection> {
  const connection = await MysqlConnection.open(config, context);
  try {
    const tool = await findBackupTool(connection.server, { ...config, signal: context.signal });
    const missing = missingPhysicalRights(await readPrivileges(connection), connection.server);
    const warnings = missing.map((right) => `Without the right ${right} on *.* nothing can be backed up.`);
    const place = await findDataFolder(connection, config).catch((error: unknown): AppError => toAppError(error));
    if (typeof place !== 'string') warnings.push(place.message);
    else if (missing.length === 0) await tryCopy({ connection, tool, dataFolder: place }, context.tempDir);
    const [[isOn = '0'] = []] = await connection.query('SELECT @@GLOBAL.log_bin');
    if (isOn !== '1') {
      warnings.push('The binary log is off: a restore to a point in time between backups is not possible.');
    }
    warnings.push(...(await encryptionDoubts(connection)));
    const all = await listDatabases(connection);
    return {
      server: connection.serverName,
      tool: `${describeProduct(tool)} (${tool.path})`,
      databases: await databaseSizes(connection, all),
      warnings,
      readOnlyUserSql: physicalUserSql(connection.server),
    };
  } finally {
    connection.close();
  }
}
