/**
 * The seams inside dispatch: who promises what to whom. `app.ts` constructs the implementations and connects them.
 *
 * Record side (`dispatcher`, `build-job`, `record-lifecycle`, `record-reporter`, `local-node`) and fleet side
 * (`command-lifecycle`, `remote-node`, `node-liveness`) meet here only, so a run on the master and a run on an agent
 * pass through the same life cycle and the same reporter.
 */
import type { ErrorCode, ErrorParams } from '@backupx/contracts/errors';
import type {
  ItemProblem,
  JobOf,
  JobProgress,
  JobResults,
  MaintenanceJob,
  RunBackupJob,
  RunBackupResult,
  RunRestoreJob,
  RunRestoreResult,
  StoredArtifact,
  TargetResult,
  VerifyArtifactJob,
} from '@backupx/contracts/jobs';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';

/** A database or an open transaction: stores accept both. */
export type Db = Kysely<Tables>;

export type RecordOwner = 'record' | 'restore' | 'maintenance' | 'verify';

export interface RunRef {
  readonly owner: RecordOwner;
  readonly id: number;
}

/** Why a run did not end well. `code` is ours; an old agent has only `message`. */
export interface RunFailure {
  readonly code: ErrorCode | '';
  readonly params: ErrorParams;
  readonly message: string;
}

export type BackupOutcome =
  | { readonly status: 'success' | 'warning'; readonly result: RunBackupResult }
  | {
      readonly status: 'failed' | 'cancelled' | 'interrupted';
      readonly failure: RunFailure;
      readonly targets?: readonly TargetResult[];
      readonly problems?: readonly ItemProblem[];
    };

export type RestoreOutcome =
  | { readonly status: 'success' | 'warning'; readonly result: RunRestoreResult }
  | {
      readonly status: 'failed' | 'cancelled' | 'interrupted';
      readonly failure: RunFailure;
      readonly problems?: readonly ItemProblem[];
    };

export type MaintenanceOutcome = { readonly status: 'success'; readonly result: unknown } | FailedOutcome;

/** `success`: it came to a verdict, which may be that the artifact is damaged. */
export type VerifyOutcome = MaintenanceOutcome;

/** An end without a result; the same for every kind of run. */
export interface FailedOutcome {
  readonly status: 'failed' | 'cancelled' | 'interrupted';
  readonly failure: RunFailure;
}

export interface EndOptions {
  /** The work may go on out of sight (its node is silent): the leases it holds on repositories stay open. */
  readonly mayGoOn?: boolean;
}

/**
 * Ends records. Each call is one conditional UPDATE (only a record that still runs; `interrupted` may become success)
 * plus the queued follow-ups and the end of its leases, in one transaction. Answers false when somebody else had ended
 * it before.
 */
export interface RecordLifecycle {
  finishBackup(recordId: number, outcome: BackupOutcome, options?: EndOptions): Promise<boolean>;
  finishRestore(restoreRecordId: number, outcome: RestoreOutcome, options?: EndOptions): Promise<boolean>;
  finishMaintenance(maintenanceRecordId: number, outcome: MaintenanceOutcome, options?: EndOptions): Promise<boolean>;
  finishVerification(verifyRecordId: number, outcome: VerifyOutcome, options?: EndOptions): Promise<boolean>;
  /** Ends a run of any kind without a result. */
  finishFailed(run: RunRef, outcome: FailedOutcome, options?: EndOptions): Promise<boolean>;
  /** The node told that the work behind a run is over, which ended before for us: nothing holds its leases any more. */
  workEnded(run: RunRef): Promise<void>;
  /** At start of the master: what ran locally in the last life becomes `interrupted`. */
  interruptLocalRuns(): Promise<number>;
}

/** Takes log and progress from any node; buffers and writes in batches; publishes to the event bus. Never throws. */
export interface RecordReporter {
  /** `sequence` numbers the pieces of an agent's log; it is stored with the text. */
  appendLog(owner: RecordOwner, id: number, text: string, sequence?: number): void;
  progress(owner: RecordOwner, id: number, progress: JobProgress): void;
  /** Sign of life without news. */
  touch(owner: RecordOwner, id: number): void;
  /** Writes what is buffered; called before a record ends and at stop. */
  flush(): Promise<void>;
}

/** The only place where secrets are opened for a job. */
export interface JobBuilder {
  backupJob(recordId: number): Promise<RunBackupJob>;
  restoreJob(restoreRecordId: number): Promise<RunRestoreJob>;
  maintenanceJob(maintenanceRecordId: number): Promise<MaintenanceJob>;
  verificationJob(verifyRecordId: number): Promise<VerifyArtifactJob>;
  /** Where the artifact of a record lies as seen from `nodeId` (relayed there when only the master can reach it). */
  storedArtifact(recordId: number, nodeId: number): Promise<StoredArtifact>;
}

/** Control-lane jobs that can be asked of a node. */
export type ControlJob = JobOf<
  | 'list_directory'
  | 'browse_artifact'
  | 'delete_objects'
  | 'test_storage'
  | 'inspect_source'
  | 'inspect_target'
  | 'init_repository'
  | 'list_snapshots'
  | 'find_in_repository'
  | 'diff_snapshots'
  | 'unlock_repository'
  | 'repository_keys'
>;

/** Asks a node, local or remote, and waits at most `timeoutMs`. */
export type AskNode = <J extends ControlJob>(
  nodeId: number,
  job: J,
  timeoutMs: number,
) => Promise<JobResults[J['kind']]>;

/** Commands to remote nodes. */
export interface CommandQueue {
  /** Queues work inside the caller's transaction (record and command exist together or not at all). */
  enqueueWork(
    trx: Db,
    command:
      | { nodeId: number; type: 'run_task'; taskId: number; recordId: number }
      | { nodeId: number; type: 'restore_record'; restoreRecordId: number }
      | { nodeId: number; type: 'run_maintenance'; maintenanceRecordId: number }
      | { nodeId: number; type: 'run_verification'; verifyRecordId: number },
  ): Promise<number>;
  /** Wakes long polls of a node after the transaction is committed. */
  wake(nodeId: number): void;
  /**
   * Asks a remote node and waits at most `timeoutMs`. Throws NODE_OFFLINE at once, AGENT_COMMAND_TIMEOUT when late
   * (the abandoned command is not executed later), NOT_SUPPORTED when the agent does not know the question,
   * or the node's own error.
   */
  ask<J extends ControlJob>(nodeId: number, job: J, timeoutMs: number): Promise<JobResults[J['kind']]>;
  /** Stops the command of a run: a pending one ends at once (answers true), a dispatched one is told to the agent. */
  cancelRun(owner: RecordOwner, id: number): Promise<boolean>;
}

export interface NodeState {
  readonly id: number;
  readonly name: string;
  readonly isLocal: boolean;
  readonly isOnline: boolean;
  /** 1: agent from the field, 2: ours (the local node is 2), 0: it never connected. */
  readonly protocol: number;
  /** Null: not told (agents from the field). */
  readonly sourceTypes: readonly string[] | null;
  readonly storageTypes: readonly string[] | null;
  /** Kinds of jobs and backup modes it announced; null: an agent from before repositories. The local node knows all. */
  readonly jobKinds: readonly string[] | null;
  readonly modes: readonly string[] | null;
  /** As the machine calls itself; empty: not told. */
  readonly hostname: string;
}

export interface NodeDirectory {
  readonly localNodeId: number;
  /** Throws NODE_NOT_FOUND. `isOnline` is derived from the last heartbeat, never stored. */
  get(nodeId: number): Promise<NodeState>;
}
