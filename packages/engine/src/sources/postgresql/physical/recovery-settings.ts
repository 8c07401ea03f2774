/** What a restored server is told: up to where it replays WAL, and where it gets that from. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AppError } from '@backupx/contracts/errors';
import { parseLsn } from './backup-manifest.ts';
import { formatTargetTime, parseTargetTime, type RestoreOptions } from './settings.ts';

const PROGRAM = fileURLToPath(new URL('../../../../../../apps/cli/bin/backupx.mjs', import.meta.url));
/** Archive recovery must have a command; this one says that there is no more WAL than the backup's own. */
const NO_ARCHIVE = 'false';

/** What our program is told to end with when the archive does not have a file. */
const NOT_THERE = 99;

/** With none of them no subscription runs. */
const WORKERS = 'max_logical_replication_workers';

/** The statement that lets subscriptions run again as they did before; `present`: the file before `recoveryConfig`. */
export function subscriptionStatement(present: string): string {
  const line = present.split('\n').findLast((text) => new RegExp(`^\\s*${WORKERS}\\b`, 'i').test(text));
  const value = /(\d+)/.exec(line?.slice(line.indexOf(WORKERS) + WORKERS.length) ?? '')?.[1];
  return value === undefined ? `ALTER SYSTEM RESET ${WORKERS}` : `ALTER SYSTEM SET ${WORKERS} = ${value}`;
}

/** Moments of a backup that a target must not lie before. */
export interface BackupBounds {
  /** When it ended, ISO 8601; before that is known: when it began. */
  readonly notBefore: string;
  readonly lsn: bigint;
  readonly what: 'began' | 'ended';
}

/** Throws INVALID_INPUT for targets that lack what they need. */
export function assertTarget(options: RestoreOptions): void {
  const { recoveryTarget, targetTime, targetLsn, targetName } = options;
  const given = { time: targetTime, lsn: targetLsn, name: targetName } as const;
  if (recoveryTarget in given && given[recoveryTarget as keyof typeof given] === '') {
    const field = { time: 'targetTime', lsn: 'targetLsn', name: 'targetName' }[recoveryTarget as keyof typeof given];
    throw invalid(field, 'It is needed for this target.');
  }
  if (needsArchive(options) && restoreCommandOf(options) === null)
    throw invalid('walConfig', 'This target needs the WAL after the backup: name the parameter file of its archive.');
}

/** Throws INVALID_INPUT for a target before what a backup can be restored to. */
export function assertReachable(options: RestoreOptions, { notBefore, lsn, what }: BackupBounds): void {
  const { recoveryTarget, targetTime, targetLsn } = options;
  const end = Date.parse(notBefore);
  const time = parseTargetTime(targetTime);
  const limit = `The backup ${what} at ${notBefore}; choose a later moment, or an older backup.`;
  if (recoveryTarget === 'time' && time !== null && time < end) throw invalid('targetTime', limit);
  if (recoveryTarget === 'lsn' && parseLsn(targetLsn) < lsn) throw invalid('targetLsn', limit);
}

const needsArchive = ({ recoveryTarget }: RestoreOptions): boolean => !['none', 'immediate'].includes(recoveryTarget);

/** Null: none was chosen. */
export function restoreCommandOf({ walConfig, restoreCommand }: RestoreOptions): string | null {
  if (restoreCommand !== '') return restoreCommand;
  if (walConfig === '') return null;
  const program = existsSync(PROGRAM) ? [process.execPath, PROGRAM] : ['backupx'];
  // A percent sign begins a placeholder there.
  const words = [...program, 'wal', 'fetch', '--config', walConfig, '--not-there', String(NOT_THERE)].map((word) =>
    shellWord(word).replaceAll('%', '%%'),
  );
  // A program that is gone or cannot start ends with 1 as well, which would be the end of the log.
  return `${words.join(' ')} "%f" "%p" || { [ $? = ${NOT_THERE} ] && exit 1; exit 255; }`;
}

/** True when the server is to replay from an archive, and to begin a timeline of its own. */
export function isArchiveRecovery({ recoveryTarget }: RestoreOptions): boolean {
  return recoveryTarget !== 'none';
}

/** The file of the server's own settings with those of the recovery; earlier ones of the same kind are left out. */
export function recoveryConfig(present: string, options: RestoreOptions): string {
  const own: [string, string][] = [];
  if (!options.keepArchiving) own.push(['archive_mode', 'off']);
  if (!options.runSubscriptions) own.push([WORKERS, '0']);
  if (isArchiveRecovery(options)) {
    own.push(['restore_command', restoreCommandOf(options) ?? NO_ARCHIVE], ...targetSettings(options));
    own.push(['recovery_target_timeline', options.targetTimeline]);
    if (options.recoveryTarget !== 'latest') own.push(['recovery_target_action', options.targetAction]);
  }
  const isOurs = (line: string) =>
    /^\s*(restore_command|recovery_(target\w*|min_apply_delay))\b/i.test(line) ||
    own.some(([name]) => new RegExp(`^\\s*${name}\\b`, 'i').test(line));
  const kept = present.split('\n').filter((line) => line !== '' && !isOurs(line));
  return [...kept, ...own.map(([name, value]) => `${name} = ${quote(value)}`), ''].join('\n');
}

function targetSettings(options: RestoreOptions): [string, string][] {
  switch (options.recoveryTarget) {
    case 'time':
      return [['recovery_target_time', formatTargetTime(options.targetTime)]];
    case 'lsn':
      return [['recovery_target_lsn', options.targetLsn]];
    case 'name':
      return [['recovery_target_name', options.targetName]];
    case 'immediate':
      return isEndOfLog(options) ? [] : [['recovery_target', 'immediate']];
    case 'none':
    case 'latest':
      return [];
  }
}

/**
 * The log of the backup itself is all there is, and its end is that moment. To name it as the target would be in the
 * way: a server that is consistent with the last record, as one from a standby of a quiet primary, does not stop there
 * but ends with "recovery ended before configured recovery target was reached".
 */
function isEndOfLog(options: RestoreOptions): boolean {
  return restoreCommandOf(options) === null && options.targetAction === 'promote';
}

const quote = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** A word of a command line as it is. */
export function shellWord(word: string): string {
  return /^[\w/.:=@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function invalid(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path: `options.${path}`, code: 'custom', message }] });
}
