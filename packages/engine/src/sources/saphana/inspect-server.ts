import { accessSync, constants } from 'node:fs';
import type { InspectContext, SourceInspection } from '../../ports/source.ts';
import type { HanaConfig } from './config.ts';
import { Hdbsql } from './hdbsql.ts';
import { listDatabases, serverVersion } from './server-catalogue.ts';

/** A user that can back up everything and read no data. */
const BACKUP_USER_SQL = `-- in SYSTEMDB
CREATE USER BACKUPX PASSWORD "…" NO FORCE_FIRST_PASSWORD_CHANGE;
GRANT BACKUP ADMIN, CATALOG READ TO BACKUPX;
GRANT DATABASE ADMIN TO BACKUPX;
-- then, as the user of the operating system that runs hdbsql
-- hdbuserstore SET BACKUPX <host>:3<instance>13@SYSTEMDB BACKUPX <password>`;

/** Asks with the program and the key a backup would use. Throws DATABASE_*. */
export async function inspectServer(config: HanaConfig, { signal }: InspectContext): Promise<SourceInspection> {
  const hdbsql = await Hdbsql.open(config, signal);
  const databases = await listDatabases(hdbsql, signal);
  const version = await serverVersion(hdbsql, signal);
  const warnings = databases.flatMap(({ name, isActive }) => (isActive ? [] : [`${name} is not running.`]));
  const missing = config.databases.filter((name) => !databases.some((database) => database.name === name));
  warnings.push(...missing.map((name) => `There is no database ${name}.`));
  if (config.method === 'file' && !isWritable(config.backupFolder)) {
    warnings.push(`The folder for backups ${config.backupFolder || '(not set)'} cannot be written here.`);
  }
  warnings.push(...(await missingPrivileges(hdbsql, signal)));
  return {
    server: `SAP HANA ${version}`,
    tool: hdbsql.program,
    databases: databases.map(({ name }) => ({ name, sizeBytes: null })),
    warnings,
    readOnlyUserSql: BACKUP_USER_SQL,
  };
}

async function missingPrivileges(hdbsql: Hdbsql, signal: AbortSignal): Promise<string[]> {
  const where = "FROM EFFECTIVE_PRIVILEGES WHERE USER_NAME = CURRENT_USER AND OBJECT_TYPE = 'SYSTEMPRIVILEGE'";
  const rows = await hdbsql.query(['PRIVILEGE'], where, { signal });
  const held = new Set(rows.map(([name]) => name));
  const needed = [
    ['BACKUP ADMIN', 'BACKUP OPERATOR'],
    ['CATALOG READ'],
    ['DATABASE ADMIN', 'DATABASE BACKUP ADMIN', 'DATABASE BACKUP OPERATOR'],
  ];
  return needed
    .filter((anyOf) => !anyOf.some((name) => held.has(name)))
    .map((anyOf) => `The user of the key lacks ${anyOf.join(' or ')}.`);
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return folder !== '';
  } catch {
    return false;
  }
}
