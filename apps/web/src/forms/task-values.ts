/** The task form's values and the way to the contract and back. */
import type { BackupMode, Task, TaskInput } from '../api/types.ts';
import type { VerifyValues } from './VerifyFields.tsx';

export interface RetentionValues {
  readonly retentionDays: number;
  readonly maxBackups: number;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly keepYearly: number;
}

export interface TaskValues extends RetentionValues, VerifyValues {
  readonly name: string;
  readonly type: string;
  readonly nodeId: number;
  readonly sourcePaths: string[];
  /** One pattern per line. */
  readonly excludes: string;
  /** Settings of the source that have no field above. */
  readonly extraConfig: Readonly<Record<string, unknown>>;
  readonly cronExpr: string;
  readonly timezone: string;
  readonly storageTargetIds: number[];
  readonly compression: 'none' | 'gzip' | 'zstd';
  readonly encrypt: boolean;
  readonly backupMode: BackupMode;
  /** Mode `repository`: 0: the server's own on each storage. */
  readonly repositoryId: number;
}

/** Daily at 02:00; everything of 7 days, then 7 daily, 4 weekly and 6 monthly records; encrypted. */
export const taskDefaults = {
  cronExpr: '0 2 * * *',
  compression: 'zstd',
  encrypt: true,
  backupMode: 'full',
  repositoryId: 0,
  verifyEnabled: false,
  verifyCronExpr: '',
  verifyMode: 'quick',
  retentionDays: 7,
  maxBackups: 0,
  keepDaily: 7,
  keepWeekly: 4,
  keepMonthly: 6,
  keepYearly: 0,
} as const;

export function initialTaskValues(task: Task | null, nodeId = 0): TaskValues {
  if (!task) {
    const empty = {
      name: '',
      type: 'file',
      extraConfig: {},
      nodeId,
      sourcePaths: [''],
      excludes: '',
      timezone: '',
      storageTargetIds: [],
    };
    return { ...taskDefaults, ...empty };
  }
  const { excludePatterns, backupMode, ...rest } = task;
  return {
    ...rest,
    backupMode: backupMode === 'repository' ? 'repository' : 'full',
    excludes: excludePatterns.join('\n'),
  };
}

/** What is sent; what the form does not show keeps the value of the stored task. */
export function taskBody(values: TaskValues, task: Task | null): TaskInput {
  const { excludes, ...rest } = values;
  const lines = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
  return {
    type: rest.type,
    enabled: task?.enabled ?? true,
    extraConfig: { ...rest.extraConfig },
    tags: task?.tags ?? [],
    slaHoursRpo: task?.slaHoursRpo ?? 0,
    name: rest.name.trim(),
    nodeId: rest.nodeId,
    sourcePaths: rest.sourcePaths.map((path) => path.trim()).filter(Boolean),
    excludePatterns: lines(excludes),
    cronExpr: rest.cronExpr.trim(),
    timezone: rest.timezone.trim(),
    storageTargetIds: [...rest.storageTargetIds],
    compression: rest.compression,
    encrypt: rest.encrypt,
    backupMode: rest.backupMode,
    repositoryId: rest.backupMode === 'repository' ? rest.repositoryId : 0,
    verifyEnabled: rest.verifyEnabled,
    verifyCronExpr: rest.verifyCronExpr.trim(),
    verifyMode: rest.verifyMode,
    retentionDays: rest.retentionDays,
    maxBackups: rest.maxBackups,
    keepDaily: rest.keepDaily,
    keepWeekly: rest.keepWeekly,
    keepMonthly: rest.keepMonthly,
    keepYearly: rest.keepYearly,
  };
}
