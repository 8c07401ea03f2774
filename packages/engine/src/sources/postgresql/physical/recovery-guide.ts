/** What to do with a restored data directory; also a file in it. */

import { isArchiveRecovery, shellWord } from './recovery-settings.ts';
import type { RestoreOptions } from './settings.ts';
import type { Tablespace } from './tablespace-map.ts';

export const GUIDE = 'backupx-restore.txt';

export interface GuideParts {
  readonly dataFolder: string;
  readonly major: string;
  /** Null: we are not root, and the files are ours. */
  readonly owner: string | null;
  readonly programFolder: string;
  readonly options: RestoreOptions;
  readonly details: Readonly<Record<string, string>>;
  readonly tablespaces: readonly Tablespace[];
  /** Where the configuration is from. */
  readonly configuration: string;
  /** The statement that lets subscriptions run again. */
  readonly subscriptions: string;
}

export function recoveryGuide(parts: GuideParts): string {
  const { dataFolder, major, owner, options, details, tablespaces } = parts;
  const as = owner === null ? '' : `runuser -u ${shellWord(owner)} -- `;
  const control = `${as}${shellWord(`${parts.programFolder}/pg_ctl`)} -D ${shellWord(dataFolder)}`;
  const log = `-l ${shellWord(`${dataFolder}/backupx-start.log`)}`;
  const psql = `${as}psql -d ${shellWord(details.maintenanceDatabase ?? 'postgres')}`;
  return [
    `PostgreSQL ${major}, cluster ${details.systemIdentifier ?? ''}, restored by BackupX into ${dataFolder}.`,
    `The backup ended at ${details.endedAt ?? ''}, position ${details.endLsn ?? ''}, timeline ${details.timeline ?? ''}.`,
    `It is to come up ${targetWords(options)}.`,
    `Configuration: ${parts.configuration}. Its port must be free.`,
    ...tablespaces.map(({ oid, location }) => `Tablespace ${oid} is in ${location}.`),
    '',
    '1. Start it, and wait until it answers:',
    `     ${control} ${log} -w -t 86400 start`,
    "   With another port, for a look at it beside the original: add -o '-p 5433'.",
    ...(options.runSubscriptions
      ? ['   Its subscriptions, if it has any, take what is meant for the original: stop that first.']
      : []),
    '',
    ...(isArchiveRecovery(options) ? recoverySteps(psql, control, options) : []),
    'Then look at the data. When all is as it should be:',
    ...(isArchiveRecovery(options) ? [`     ${psql} -c "ALTER SYSTEM RESET restore_command" ${resets(options)}`] : []),
    ...goLiveSteps(parts, psql, `${control} ${log} -m fast -w restart`),
    'Make a new backup of it.',
    '',
  ].join('\n');
}

/** What a copy must not do beside the original is switched off, until somebody says that it is the original now. */
function goLiveSteps({ options, details, subscriptions }: GuideParts, psql: string, restart: string): string[] {
  const isArchiving = options.keepArchiving || details.archiveMode === 'off';
  const mode = details.archiveMode === 'always' ? 'always' : 'on';
  const statements = [
    ...(isArchiving ? [] : [`ALTER SYSTEM SET archive_mode = ${mode}`]),
    ...(options.runSubscriptions ? [] : [subscriptions]),
  ];
  if (statements.length === 0) return [];
  return [
    ...(isArchiving ? [] : ['WAL is not archived, so that a copy never writes into the archive of the original.']),
    ...(options.runSubscriptions
      ? []
      : ['Subscriptions do not run, so that a copy never takes what is meant for the original.']),
    'When this is the server from now on, and the original is gone:',
    ...statements.map((statement) => `     ${psql} -c "${statement}"`),
    `     ${restart}`,
  ];
}

function targetWords(options: RestoreOptions): string {
  const { recoveryTarget, targetTime, targetLsn, targetName, targetAction } = options;
  const then = { pause: 'and wait there, readable', promote: 'and go on from there', shutdown: 'and stop there' }[
    targetAction
  ];
  switch (recoveryTarget) {
    case 'none':
      return 'as it was at the end of the backup';
    case 'latest':
      return 'with everything that is in the archive of its WAL';
    case 'time':
      return `as it was at ${targetTime}, ${then}`;
    case 'lsn':
      return `as it was at position ${targetLsn}, ${then}`;
    case 'name':
      return `as it was at the restore point "${targetName}", ${then}`;
    case 'immediate':
      return `as it was at the end of the backup, ${then}`;
  }
}

function recoverySteps(psql: string, control: string, { recoveryTarget, targetAction }: RestoreOptions): string[] {
  return [
    '2. Watch how far it is:',
    `     ${psql} -c "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()"`,
    '   The log of the server says "recovery stopping before ..." or "archive recovery complete".',
    '',
    ...(targetAction === 'pause' && recoveryTarget !== 'latest'
      ? [
          '3. It waits at the target and can be read. To end the recovery there and let writers in:',
          `     ${psql} -c "SELECT pg_wal_replay_resume()"`,
          '   For a later target instead, stop it, change postgresql.auto.conf, and start it again:',
          `     ${control} -m fast stop`,
          '   For an earlier one restore again.',
          '',
        ]
      : []),
  ];
}

function resets({ recoveryTarget }: RestoreOptions): string {
  const names = {
    ...{ none: [], latest: [], immediate: ['recovery_target'] },
    ...{ time: ['recovery_target_time'], lsn: ['recovery_target_lsn'], name: ['recovery_target_name'] },
  }[recoveryTarget];
  return names.map((name) => `-c "ALTER SYSTEM RESET ${name}"`).join(' ');
}
