/** What is in a server under the names that a restore would use, and who works in it. */
import { parseRenames } from '../../ports/database-names.ts';
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import { MongodbConnection } from './connection.ts';
import { placeOf } from './entry-paths.ts';
import { listDatabases } from './list-databases.ts';
import { WHY_UNKNOWN } from './other-clients.ts';
import { listCollections } from './read-inventory.ts';
import { operationsIn, readOperations, sessionsOf } from './sessions.ts';
import { configSchema, type MongodbConfig, type MongodbRestoreOptions, restoreConnection } from './settings.ts';

const OF_THIS_MOMENT =
  'Connections of MongoDB belong to no database: only who works in one at this moment can be listed. Stop what uses it.';

/** Throws DATABASE_*. */
export async function inspectTarget(config: MongodbConfig, context: TargetContext): Promise<TargetInspection> {
  const options = context.options as MongodbRestoreOptions;
  const connection = await MongodbConnection.open(restoreConnection(config, options), context);
  try {
    const sizes = new Map((await listDatabases(connection)).map(({ name, sizeBytes }) => [name, sizeBytes]));
    const renames = parseRenames(options.rename);
    const sources = context.entries.flatMap((entry) => {
      const place = placeOf(Buffer.from(entry, 'utf8'));
      return place?.item === 'inventory' && place.database !== null ? [place.database] : [];
    });
    const operations = await readOperations(connection);
    const collections = options.collections.length > 0 ? new Set(options.collections) : null;
    const databases = [];
    for (const name of new Set(sources.map((source) => renames.get(source) ?? source))) {
      const exists = sizes.has(name) && (await listCollections(connection, name)).length > 0;
      const sessions = exists ? sessionsOf(operationsIn({ database: name, collections }, operations ?? [])) : [];
      databases.push({ name, exists, sizeBytes: sizes.get(name) ?? null, sessions });
    }
    const notes = databases.some(({ exists }) => exists) ? [operations === null ? WHY_UNKNOWN : OF_THIS_MOMENT] : [];
    return { server: connection.address, databases, notes, product: connection.serverName };
  } finally {
    await connection.close();
  }
}

/** Users and the operations log are not what a restore replaces. */
export function targetSettings(
  config: MongodbConfig,
  options: Readonly<Record<string, unknown>>,
  databases: readonly string[],
): MongodbConfig {
  const server = restoreConnection(config, options as MongodbRestoreOptions);
  return configSchema.parse({ ...server, databases, excludeDatabases: [], withUsers: false, oplog: false });
}
