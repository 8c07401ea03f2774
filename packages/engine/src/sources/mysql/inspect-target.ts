/** What is in a server under the names that a restore would use, and who is connected to it. */
import { databaseOfFolder, parseRenames } from '../../ports/database-names.ts';
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import { MysqlConnection } from './connection.ts';
import { readInventory } from './read-inventory.ts';
import { sessionsOf } from './sessions.ts';
import { configSchema, type MysqlConfig, type MysqlRestoreOptions, restoreConnection } from './settings.ts';
import { quoteText } from './sql-text.ts';

/** Throws DATABASE_*. */
export async function inspectTarget(config: MysqlConfig, context: TargetContext): Promise<TargetInspection> {
  const options = context.options as MysqlRestoreOptions;
  const renames = parseRenames(options.rename);
  const folders = context.entries.map((entry) => entry.replace(/^\/*/, '').split('/'));
  const saved = new Set(folders.flatMap(([, folder, file]) => (folder && file ? [databaseOfFolder(folder)] : [])));
  const connection = await MysqlConnection.open(restoreConnection(config, options), context);
  try {
    const databases = [];
    for (const name of saved) databases.push(await lookAt(connection, renames.get(name) ?? name));
    return { server: connection.address, databases, product: connection.serverName };
  } finally {
    connection.close();
  }
}

async function lookAt(connection: MysqlConnection, name: string): Promise<TargetInspection['databases'][number]> {
  // An empty one is not in the way.
  const { objects } = await readInventory(connection, name);
  if (objects.length === 0) return { name, exists: false, sizeBytes: null, sessions: [] };
  const [[size = '0'] = []] = await connection.query(
    `SELECT SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(name)}`,
  );
  return { name, exists: true, sizeBytes: Number(size) || 0, sessions: await sessionsOf(connection, name) };
}

/** Users and the position in the log are not what a restore replaces. */
export function targetSettings(
  config: MysqlConfig,
  options: Readonly<Record<string, unknown>>,
  databases: readonly string[],
): MysqlConfig {
  const server = restoreConnection(config, options as MysqlRestoreOptions);
  return configSchema.parse({ ...server, databases, excludeDatabases: [], withGrants: false, withPosition: false });
}
