/** Looks at a server as a physical backup would: by its program, its login, and the protocol of replication. */
import { AppError } from '@backupx/contracts/errors';
import { isSuccess, runTool } from '../../../ports/processes.ts';
import type { InspectContext, SourceInspection } from '../../../ports/source.ts';
import { listDatabases } from '../database-list.ts';
import { encryptionWarning } from '../encryption-warning.ts';
import { failureOf } from '../failures.ts';
import { PsqlSession } from '../psql-session.ts';
import { Server } from '../server.ts';
import { quoteLiteral } from '../sql-text.ts';
import { PROGRAM, programsForBackup } from './base-backup.ts';
import { assertReady, type ClusterFacts, readAlarms, readClusterFacts } from './cluster-facts.ts';
import { readConfigFiles } from './config-files.ts';
import type { PhysicalConfig } from './settings.ts';
import { type Trial, tryBackup } from './try-backup.ts';

const TRIAL_LIMIT_MS = 30_000;

/** Throws DATABASE_*; what a login lacks, or a server is not set up for, is a warning as long as it lets us in. */
export async function inspectCluster(config: PhysicalConfig, context: InspectContext): Promise<SourceInspection> {
  const { signal } = context;
  const server = await Server.open(config, context.tempDir, signal);
  try {
    const session = await PsqlSession.open(server, config.maintenanceDatabase, signal);
    try {
      const { version, major } = session.facts;
      const programs = programsForBackup(server.installed, session.facts);
      const facts = await readClusterFacts(session);
      const databases = (await listDatabases(session)).filter(({ isTemplate }) => !isTemplate);
      const warnings = [
        encryptionWarning(server, session),
        ...(await findObstacles({ server, programs, config, signal }, session, facts)),
      ];
      return {
        server: `PostgreSQL ${version}`,
        tool: `${PROGRAM} ${programs.version} (${programs.folder})`,
        databases: databases.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
        warnings: warnings.filter((text) => text !== null),
        readOnlyUserSql: backupUserSql(major),
      };
    } finally {
      await session.close();
    }
  } finally {
    server.close();
  }
}

async function findObstacles(trial: Trial, session: PsqlSession, facts: ClusterFacts): Promise<string[]> {
  const obstacle = await firstObstacle(trial, session, facts);
  const { alarms, remarks } = await readAlarms(session, facts);
  const { dataFolder, unread } = await readConfigFiles(session);
  const unsaved =
    dataFolder === null
      ? [
          'The user may not know where the configuration lies (pg_monitor); when that is outside the data directory it is not in the backup.',
        ]
      : unread.map((path) => `Not in the backup, since the user may not read it: ${path}.`);
  const checksums =
    facts.dataChecksums === 'off'
      ? ['data_checksums is off: the server cannot tell damaged pages from good ones.']
      : [];
  const tablespaces =
    facts.tablespaces > 0
      ? [
          'The server has tablespaces: its backup passes through the folder for temporary files, which needs room for it.',
        ]
      : [];
  return [...obstacle, ...alarms, ...remarks, ...unsaved, ...checksums, ...tablespaces];
}

/** What every backup would fail of. */
async function firstObstacle(trial: Trial, session: PsqlSession, facts: ClusterFacts): Promise<string[]> {
  const { server, signal } = trial;
  try {
    assertReady(facts, { session, server: server.label, user: server.settings.dbUser });
    await tryReplication(server, signal);
    await tryBackup(trial);
    return [];
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'CANCELLED') throw error;
    return [`A backup would fail: ${error.message}`];
  }
}

/** The protocol that base backups use: pg_hba.conf has lines of its own for it, and only so many may speak it. */
async function tryReplication(server: Server, signal: AbortSignal): Promise<void> {
  const { maintenanceDatabase } = server.settings;
  const target = `${server.conninfo(maintenanceDatabase)} replication='true'`;
  const args = ['-X', '-q', '-A', '-t', '-w', '-c', 'IDENTIFY_SYSTEM', '-d', target];
  const said = await runTool(server.command(server.newest, 'psql', args), { signal, timeoutMs: TRIAL_LIMIT_MS });
  if (!isSuccess(said)) throw failureOf(said, server.place('psql', 'replication'));
}

const MONITOR = 'GRANT pg_monitor TO backupx;';

/** Statements to copy: a role that may copy the files of the server and cannot change anything. */
function backupUserSql(major: number): string {
  const lines = [
    `CREATE ROLE backupx LOGIN REPLICATION PASSWORD ${quoteLiteral('choose a long password')};`,
    '-- To see what waits for the archiver, and where the configuration lies:',
    MONITOR,
    '-- Only when the configuration lies outside the data directory and is to be saved, too (in the database to connect to first):',
    'GRANT pg_read_server_files TO backupx;',
    'GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO backupx;',
    `-- In pg_hba.conf, then SELECT pg_reload_conf(); (PostgreSQL ${major})`,
    '--   hostssl  replication  backupx  <address of the node>  scram-sha-256',
    '--   hostssl  all          backupx  <address of the node>  scram-sha-256',
  ];
  return `${lines.join('\n')}\n`;
}
