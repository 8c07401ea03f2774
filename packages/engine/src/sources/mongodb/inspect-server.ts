import { chooseDatabases, type DatabaseChoice } from '../../ports/database-names.ts';
import { isSuccess, runTool } from '../../ports/processes.ts';
import type { InspectContext, SourceInspection } from '../../ports/source.ts';
import { MongodbConnection } from './connection.ts';
import { toolError } from './failures.ts';
import { listDatabases } from './list-databases.ts';
import { mayReadUsers, missingRights, readOnlyUserStatement, readPrivileges } from './privileges.ts';
import type { MongodbConfig } from './settings.ts';
import { chooseTool, describeTool, type Tool } from './tools.ts';

const LISTED = 20;
const PROBE_TIMEOUT_MS = 30_000;
const LOCAL = /^(127\.|::1$|localhost$|\/)/;

/** Logs in as a backup would, with the very program, and tells what it would find and miss. Throws DATABASE_*. */
export async function inspectServer(config: MongodbConfig, context: InspectContext): Promise<SourceInspection> {
  const tool = await chooseTool('mongodump', config, context.signal);
  const connection = await MongodbConnection.open(config, context);
  try {
    const databases = await listDatabases(connection);
    const choice = chooseDatabases(
      databases.map(({ name }) => name),
      config,
    );
    const [first] = choice.names;
    if (tool && first !== undefined) await probe(connection, tool, first);
    const warnings = await warningsOf(connection, { config, choice, tool });
    return {
      server: serverWords(connection),
      tool: tool ? `${describeTool(tool)} (${tool.path})` : 'BackupX itself',
      databases,
      warnings,
      readOnlyUserSql: readOnlyUserStatement(config.databases),
    };
  } finally {
    await connection.close();
  }
}

function serverWords({ serverName, facts }: MongodbConnection): string {
  if (facts.isSharded) return `${serverName}, sharded cluster`;
  if (facts.replicaSet === '') return serverName;
  return `${serverName}, replica set ${facts.replicaSet} (${facts.isPrimary ? 'primary' : 'secondary'})`;
}

/** Dumps a collection that is not there: all of a dump but its data. Where a dump would, for want of other rights. */
async function probe(connection: MongodbConnection, tool: Tool, database: string): Promise<void> {
  const args = ['--archive', `--db=${database}`, '--collection=backupx_connection_test'];
  const command = connection.commandOf(tool, args);
  const end = await runTool(command, { signal: connection.signal, timeoutMs: PROBE_TIMEOUT_MS });
  if (!isSuccess(end)) throw toolError(end, { tool: tool.name, doing: 'log in', config: connection.config });
}

async function warningsOf(
  connection: MongodbConnection,
  { config, choice, tool }: { config: MongodbConfig; choice: DatabaseChoice; tool: Tool | null },
): Promise<string[]> {
  const privileges = await readPrivileges(connection);
  const warnings = choice.missing.map((name) => `There is no database ${name}.`);
  if (choice.names.length === 0) warnings.push('There is no database to back up that this user can see.');
  const lost = new Map<string, string[]>();
  for (const database of choice.names) {
    for (const what of missingRights(privileges, database)) lost.set(what, [...(lost.get(what) ?? []), database]);
  }
  for (const [what, names] of lost) warnings.push(`${listed(names)}: ${what}.`);
  if (config.withUsers && !mayReadUsers(privileges)) {
    warnings.push('Users and roles are not stored: the user may not read them.');
  }
  return [...warnings, ...serverWarnings(connection, config, tool)];
}

function listed(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).join(', ')}${more}`;
}

function serverWarnings({ facts, client }: MongodbConnection, config: MongodbConfig, tool: Tool | null): string[] {
  const warnings: string[] = [];
  if (facts.isSharded) {
    warnings.push('This is a sharded cluster: what is written meanwhile may be in a dump on one shard only.');
  }
  const isSet = facts.replicaSet !== '' && !facts.isSharded;
  if (config.oplog && !isSet) warnings.push('There is no operations log: this is no member of a replica set.');
  if (config.oplog && config.databases.length + config.excludeDatabases.length > 0) {
    warnings.push('With the operations log all databases are dumped; none can be chosen or left out.');
  }
  if (config.oplog && !tool) warnings.push('Only mongodump can dump with the operations log, and it is not used here.');
  const { hosts, tls } = client.options;
  if (!tls && !hosts.every(({ host, socketPath }) => socketPath !== undefined || LOCAL.test(host ?? ''))) {
    warnings.push('The connection is not encrypted.');
  }
  return warnings;
}
