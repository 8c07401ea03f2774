/** The contract's types the pages speak of; types only, so nothing of the schemas reaches the browser. */
import type { AnswerOf } from './route-table.ts';

export type { ApiKey, Role, User } from '@backupx/contracts/api/auth';
export type { Node } from '@backupx/contracts/api/nodes';
export type { BackupRecord, RecordRow, RestoreRecord, RestoreRow } from '@backupx/contracts/api/records';
export type { StorageTarget } from '@backupx/contracts/api/storage-targets';
export type { AuditEntry, Settings } from '@backupx/contracts/api/system';
export type { StripDay, Task, TaskInput } from '@backupx/contracts/api/tasks';
export type { DriverManifest, FieldManifest } from '@backupx/contracts/driver-manifest';
export type { ConsoleEvent, RecordLogEvent } from '@backupx/contracts/events';
export type {
  ArtifactEntry,
  ItemProblem,
  JobPhase,
  JobProgress,
  OverwriteMode,
} from '@backupx/contracts/jobs';
export type { RecordStatus } from '@backupx/contracts/record-status';

export type Overview = AnswerOf<'dashboard.overview'>;
export type OverviewTask = Overview['tasks'][number];
export type OverviewException = Overview['exceptions'][number];
