/** What a user may set for physical backups of a PostgreSQL server and for their restore, with its checks. */
import { z } from 'zod';
import { serverShape } from '../settings.ts';

const text = z.string().refine((value) => !/[\0\r\n]/.test(value), 'A line break or a zero byte is not allowed.');
const path = text.refine((value) => value === '' || value.startsWith('/'), 'The path must be absolute.');

/** Settings of a task. */
export const configSchema = z.object({
  ...serverShape,
  checkpoint: z.enum(['fast', 'spread']).default('fast').meta({
    label: 'Checkpoint',
    help: 'fast begins at once; spread waits for a checkpoint that burdens the server less, which may take minutes.',
  }),
  maxRateKilobytes: z
    .number()
    .int()
    .refine((value) => value === 0 || (value >= 32 && value <= 1_048_576), 'From 32 to 1048576, or 0.')
    .default(0)
    .meta({ label: 'At most so many KiB per second', help: '0: as fast as it goes.', advanced: true }),
});
export type PhysicalConfig = z.output<typeof configSchema>;

const TARGETS = ['none', 'latest', 'time', 'lsn', 'name', 'immediate'] as const;

/** Settings of a restore: a new data directory, and up to where the WAL is replayed in it. */
export const restoreSchema = z.object({
  dataFolder: path.default('').meta({
    label: 'Data directory',
    help: 'It is made, or must be empty. No server may run in it.',
    placeholder: '/var/lib/postgresql/15/restored',
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'A data directory that is not empty. Until the restored one is whole it stays, so there must be room for both.',
  }),
  keepReplaced: z.boolean().default(true).meta({
    label: 'Keep what is replaced',
    help: 'Moves it to <folder>.replaced-<time>, until you remove it; tablespaces, too. Where the folder is a file system of its own that cannot be, and it is removed.',
  }),
  owner: text.default('').meta({
    label: 'Owner of the files',
    help: 'User of the machine who runs the server. Empty: postgres, or who runs BackupX when that is not root.',
    placeholder: 'postgres',
  }),
  recoveryTarget: z.enum(TARGETS).default('none').meta({
    label: 'Restore up to',
    help: 'none: the end of the backup. All but none and immediate need the WAL that came after it, from an archive.',
  }),
  targetTime: text
    .refine((value) => value === '' || parseTargetTime(value) !== null, 'Write 2026-05-01 11:59:00+02.')
    .default('')
    .meta({
      label: 'Moment',
      help: 'With its time zone; without one it is UTC.',
      placeholder: '2026-05-01 11:59:00+02',
    }),
  targetLsn: text
    .refine((value) => value === '' || /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(value), 'Write 16/B374D848.')
    .default('')
    .meta({ label: 'Position in the WAL (LSN)', placeholder: '16/B374D848' }),
  targetName: text.default('').meta({ label: 'Name of a restore point', help: 'As given to pg_create_restore_point.' }),
  targetAction: z.enum(['pause', 'promote', 'shutdown']).default('pause').meta({
    label: 'When it is reached',
    help: 'pause: look at the data first, then go on by pg_wal_replay_resume().',
  }),
  walConfig: path.default('').meta({
    label: 'Parameter file of the WAL archive',
    help: 'As used by backupx wal push. The owner of the files must be able to read it.',
    placeholder: '/etc/backupx/wal.conf',
  }),
  restoreCommand: text.default('').meta({
    label: 'Other restore command',
    help: 'For WAL that another program archived; %f is the file, %p its place.',
    placeholder: 'cp /srv/wal/%f "%p"',
    advanced: true,
  }),
  targetTimeline: text
    .refine((value) => /^(latest|current|\d+)$/.test(value), 'latest, current or a number.')
    .default('latest')
    .meta({ label: 'Timeline', help: 'latest, current (that of the backup) or a number.', advanced: true }),
  tablespaces: z
    .array(text.refine((line) => /^\/.*=\/./.test(line), 'Write /old=/new.'))
    .default([])
    .meta({
      label: 'Other places for tablespaces',
      help: 'Lines /old=/new; others go back to where they were.',
      placeholder: '/srv/fast=/srv/restored',
    }),
  keepArchiving: z.boolean().default(false).meta({
    label: 'Keep archiving WAL',
    help: 'Off: archive_mode is switched off, so that a copy never writes into the archive of the original.',
    advanced: true,
  }),
  runSubscriptions: z.boolean().default(false).meta({
    label: 'Run subscriptions',
    help: 'Off: logical replication is switched off, so that a copy never takes from a publisher what is meant for the original.',
    advanced: true,
  }),
  programFolder: path.default('').meta({
    label: 'Folder of programs',
    help: 'Where pg_verifybackup is, when it is none of the usual places.',
    placeholder: '/opt/postgresql/17/bin',
    advanced: true,
  }),
});
export type RestoreOptions = z.output<typeof restoreSchema>;

const TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i;

/** A moment as people write it, in milliseconds since 1970; null: it is none. */
export function parseTargetTime(value: string): number | null {
  const match = TIME.exec(value.trim());
  if (!match) return null;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match;
  const offset = /^(Z|UTC)$/i.test(zone) ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}${offset}`);
  // A month too short for its day would be taken for the next one.
  const isReal = Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number.isNaN(ms) || !isReal ? null : ms;
}

/** The moment for the server, with its fraction and a zone. */
export function formatTargetTime(value: string): string {
  return /(Z|UTC|[+-]\d\d(:?\d\d)?)$/i.test(value.slice(11)) ? value.trim() : `${value.trim()} UTC`;
}
