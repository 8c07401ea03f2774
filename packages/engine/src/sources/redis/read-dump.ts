/** The reading half: the RDB file of a server, checked while it passes, then what was found in it. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { type DatabaseInventory, formatInventory } from '../../ports/database-inventory.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { nameOfServer, type RedisConfig } from './config.ts';
import { RedisConnection } from './connection.ts';
import { DUMP_PATH, INVENTORY_PATH, ROOT } from './entry-paths.ts';
import { objectsOf } from './key-counts.ts';
import { type RdbSummary, scanned } from './rdb-scanner.ts';
import { replicate } from './replication.ts';
import { readFacts, type ServerFacts } from './server-facts.ts';

/** Throws DATABASE_*. A dump that is not whole makes its stream throw. */
export async function* readEntries(config: RedisConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const modifiedAt = systemClock.now();
  const before = await askFacts(config, context);
  warnAbout(before, config, context);
  let summary: RdbSummary | null = null;
  yield folderEntry({ path: ROOT, modifiedAt });
  const stream = dump(config, context, (whole) => {
    summary = whole;
  });
  yield streamEntry({ path: DUMP_PATH, modifiedAt, stream });
  if (!summary)
    throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: nameOfServer(config), reason: 'it was not read' });
  const after = await askFacts(config, context);
  reportGaps({ summary, before, after }, config, context);
  const text = formatInventory(inventoryOf(summary, before, config));
  yield textEntry({ path: INVENTORY_PATH, modifiedAt, text });
}

async function askFacts(config: RedisConfig, context: BackupContext): Promise<ServerFacts> {
  const connection = await RedisConnection.open(config, context.signal);
  try {
    return await readFacts(connection);
  } finally {
    connection.close();
  }
}

async function* dump(config: RedisConfig, context: BackupContext, onSummary: (summary: RdbSummary) => void) {
  const name = nameOfServer(config);
  const connection = await RedisConnection.open(config, context.signal);
  try {
    const failure = (error: Error) => new AppError('DATABASE_DUMP_INCOMPLETE', { name, reason: error.message });
    yield* scanned(replicate(connection, name), { onSummary, failure });
  } finally {
    connection.close();
  }
}

function warnAbout(facts: ServerFacts, config: RedisConfig, context: BackupContext): void {
  const path = nameOfServer(config);
  if (facts.isCluster) {
    const message = 'this node holds only its part of the cluster; back up every primary node by a task of its own';
    context.problem({ path, code: 'unsupported', message });
  }
  if (facts.isLinkDown) {
    const message = 'this replica has no connection to its primary; what it holds may be old';
    context.problem({ path, code: 'inconsistent', message });
  }
}

/** The two looks at the server and the dump are of three moments, so only what was there all the time must be in it. */
function reportGaps(
  { summary, before, after }: { summary: RdbSummary; before: ServerFacts; after: ServerFacts },
  config: RedisConfig,
  context: BackupContext,
): void {
  const path = nameOfServer(config);
  const { keys } = summary;
  if (!summary.hasChecksum) context.log('info', 'The server is set to write no checksum (rdbchecksum no).');
  if (keys === null) {
    const message = 'it holds a kind of value that this version does not know; checked by its checksum alone';
    context.problem({ path, code: 'unsupported', message });
    return;
  }
  for (const database of before.keys?.keys() ?? []) {
    if (keys.has(database) || !after.keys?.has(database)) continue;
    context.problem({ path: `${path}/db${database}`, code: 'unreadable', message: 'the server did not send it' });
  }
  const total = [...keys.values()].reduce((sum, count) => sum + count, 0);
  context.log('info', `${total} key(s) in ${keys.size} database(s), ${summary.functions} function librar(ies).`);
}

function inventoryOf(summary: RdbSummary, facts: ServerFacts, config: RedisConfig): DatabaseInventory {
  const server = facts.version.length > 0 ? facts.server : summary.server;
  return {
    format: 1,
    server,
    tool: 'replication stream',
    database: nameOfServer(config),
    objects: objectsOf(summary),
    details: {
      rdb_version: String(summary.version),
      expiring_keys: String(summary.expiring),
      functions: String(summary.functions),
      checksum: summary.hasChecksum ? 'yes' : 'no',
    },
  };
}
