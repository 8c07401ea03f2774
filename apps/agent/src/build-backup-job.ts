/** Turns the specification a master answers into the job the engine runs, for masters of both protocol versions. */
import type { AgentTaskSpec } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import { compressionSchema, type DriverSettings, type JobTarget, type RunBackupJob } from '@backupx/contracts/jobs';

/** Throws `NOT_SUPPORTED` when an old master asks for encryption: it could never open what we would write. */
export function buildBackupJob(spec: AgentTaskSpec, recordId: number, startedAt: Date): RunBackupJob {
  const recipients = spec.encryptionRecipients ?? [];
  if (spec.encrypt && recipients.length === 0) {
    throw new AppError('NOT_SUPPORTED', {
      what: 'An encrypted backup on an agent under this version of the master',
      hint: 'Update the master, or switch the encryption of the task off.',
    });
  }
  const compression = compressionSchema.safeParse(spec.compression.toLowerCase() || 'none');
  if (!compression.success) {
    throw new AppError('NOT_SUPPORTED', {
      what: `The compression "${spec.compression}"`,
      hint: 'Choose none, gzip or zstd.',
    });
  }
  if (spec.storageTargets.length === 0) {
    throw new AppError('STORAGE_TARGET_NOT_FOUND');
  }
  const [first, ...others] = spec.storageTargets.map(jobTarget);
  return {
    kind: 'run_backup',
    taskId: spec.taskId,
    recordId,
    taskName: spec.name,
    source: sourceSettings(spec),
    targets: [first as JobTarget, ...others],
    compression: compression.data,
    encryption: recipients.length > 0 ? { recipients } : null,
    keyPrefix: spec.keyPrefix ?? fieldKeyPrefix(spec.type, recordId, startedAt),
    baseName: spec.baseName ?? fieldBaseName(spec.name, startedAt),
    bandwidthBytesPerSecond: spec.bandwidthBytesPerSecond ?? 0,
    ...(spec.repositories?.length ? { repositories: spec.repositories, snapshot: spec.snapshot ?? null } : {}),
  };
}

type SpecTarget = AgentTaskSpec['storageTargets'][number];

/** A target of a specification as the engine wants it. */
export function jobTarget(target: SpecTarget): JobTarget {
  const { id, type, name, config } = target;
  return { id, type, name, config, viaMaster: target.transferMode === 'master_relay' };
}

/** What describes a source in the specifications of backups and restores. */
export interface SourceFields {
  readonly type: string;
  readonly sourcePath?: string;
  readonly sourcePaths?: string | readonly string[];
  readonly excludePatterns?: string;
  readonly dbHost?: string;
  readonly dbPort?: number;
  readonly dbUser?: string;
  readonly dbPassword?: string;
  readonly dbName?: string;
  readonly dbPath?: string;
  readonly extraConfig?: string;
}

/** Settings of the source driver; `sourcePath` counts only where `sourcePaths` is empty, as in the field. */
export function sourceSettings(fields: SourceFields): DriverSettings {
  const extra = parseExtraConfig(fields.extraConfig);
  if (fields.type === 'file') {
    const listed = splitList(fields.sourcePaths);
    const paths = listed.length > 0 ? listed : splitList(fields.sourcePath);
    return { type: 'file', config: { ...extra, paths, excludePatterns: splitList(fields.excludePatterns) } };
  }
  const { dbHost, dbPort, dbUser, dbPassword } = fields;
  // Left out is the driver's own default, which an empty text is not.
  const given = Object.entries({ dbHost, dbPort, dbUser, dbPassword }).filter(([, value]) => value);
  return { type: fields.type, config: { ...databasesOf(fields), ...extra, ...Object.fromEntries(given) } };
}

/** Masters of version 1 send names as one text; ours has the list in the rest. None: all of them. */
function databasesOf({ dbName, dbPath }: SourceFields): { databases?: string[] } {
  const names = dbPath ? splitList(dbPath) : (dbName ?? '').split(/[,;\r\n]+/).map((name) => name.trim());
  const databases = names.filter(Boolean);
  return databases.length > 0 ? { databases } : {};
}

/** Newline-separated text, a JSON array in text (both occur in the field), or an array. */
function splitList(value: string | readonly string[] | undefined): string[] {
  if (value === undefined) return [];
  if (typeof value !== 'string') return value.filter((item) => item.trim() !== '');
  const text = value.trim();
  if (text.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(text);
      if (Array.isArray(parsed)) return parsed.map(String).filter((item) => item.trim() !== '');
    } catch {
      // A path may well begin with a bracket.
    }
  }
  return value
    .split(/[\r\n]+/)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parseExtraConfig(text: string | undefined): Record<string, unknown> {
  if (!text?.trim()) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : {};
  } catch (cause) {
    throw new AppError('INVALID_INPUT', {}, { cause });
  }
}

/** `20260131_020005` in UTC. */
function timeStamp(at: Date): string {
  return at.toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '').replace('T', '_');
}

/** Key layout a version 1 master expects and checks: `BackupX/<type>/<yymmdd>/records/<recordId>/<file>`. */
function fieldKeyPrefix(type: string, recordId: number, startedAt: Date): string {
  const day = timeStamp(startedAt).slice(2, 8);
  return `BackupX/${type.trim().toLowerCase() || 'file'}/${day}/records/${recordId}`;
}

function fieldBaseName(taskName: string, startedAt: Date): string {
  const clean = taskName
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '');
  return `${clean || 'backup'}_${timeStamp(startedAt)}`;
}
