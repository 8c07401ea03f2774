/** What the engine and its looking thread say to each other. Plain data only. */
import type { BrowseArtifactJob, BrowseArtifactResult } from '@backupx/contracts/jobs';
import type { RelaySettings, SnapshotStreamRequest } from '../ports/engine.ts';
import type { ThreadError } from '../ports/thread-error.ts';

export interface LookWorkerData {
  /** A `DriversModule`. */
  readonly driversUrl: string;
  readonly tempDir: string;
  readonly storageAttempts?: number;
}

/** Chunks of a stream that may be on their way at once. */
export const CHUNKS_AHEAD = 4;

/** `id` is one request's; `pull` asks for one more chunk of a stream, after the first few that come unasked. */
export type ToLookWorker =
  | {
      readonly type: 'browse';
      readonly id: number;
      readonly job: BrowseArtifactJob;
      readonly relay: RelaySettings | null;
    }
  | {
      readonly type: 'stream';
      readonly id: number;
      readonly request: SnapshotStreamRequest;
      readonly relay: RelaySettings | null;
    }
  | { readonly type: 'pull'; readonly id: number }
  | { readonly type: 'cancel'; readonly id: number };

/** Every request ends with exactly one `page`, `end` or `failed`. */
export type FromLookWorker =
  | { readonly type: 'page'; readonly id: number; readonly page: BrowseArtifactResult }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: ThreadError };
