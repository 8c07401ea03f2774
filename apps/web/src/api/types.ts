/** The contract's types the pages speak of; types only, so nothing of the schemas reaches the browser. */
import type { AnswerOf } from './route-table.ts';

export type { ApiKey, Role, User } from '@backupx/contracts/api/auth';
export type {
  MaintenanceKind,
  MaintenanceRecord,
  MaintenanceResult,
  MaintenanceRow,
} from '@backupx/contracts/api/maintenance';
export type { Node } from '@backupx/contracts/api/nodes';
export type { BackupRecord, LastVerified, RecordRow, RestoreRecord, RestoreRow } from '@backupx/contracts/api/records';
export type { Repository, RepositorySnapshot } from '@backupx/contracts/api/repositories';
export type { StorageTarget } from '@backupx/contracts/api/storage-targets';
export type { AuditEntry, Settings } from '@backupx/contracts/api/system';
export type { BackupMode, StripDay, Task, TaskInput } from '@backupx/contracts/api/tasks';
export type { VerifyRecord, VerifyRow } from '@backupx/contracts/api/verifications';
export type { DriverManifest, FieldManifest } from '@backupx/contracts/driver-manifest';
export type { ConsoleEvent, RecordLogEvent } from '@backupx/contracts/events';
export type {
  ArtifactEntry,
  InspectSourceResult,
  InspectTargetResult,
  ItemProblem,
  JobPhase,
  JobProgress,
  OverwriteMode,
  RepositoryProblem,
} from '@backupx/contracts/jobs';
export type { RecordStatus } from '@backupx/contracts/record-status';

/** What has a log and progress of its own. */
export type RunKind = 'record' | 'restore' | 'maintenance' | 'verify';
export type FoundItem = AnswerOf<'repositorySnapshots.find'>['hits'][number];
export type SnapshotChange = AnswerOf<'repositorySnapshots.diff'>['changes'][number];
export type RepositoryKey = AnswerOf<'repositoryActions.keys'>['keys'][number];

export type Overview = AnswerOf<'dashboard.overview'>;
export type OverviewTask = Overview['tasks'][number];
export type OverviewException = Overview['exceptions'][number];
