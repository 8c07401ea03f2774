/** What the threads of a backup into a repository say to each other. Plain data; content lies in the shared slots. */
import type { DriverSettings, ItemProblem } from '@backupx/contracts/jobs';
import type { SourceTotals } from '../../ports/source.ts';
import type { ThreadError } from '../../ports/thread-error.ts';
import type { SharedBlobIds } from '../blob-index.ts';
import type { MasterKey } from '../format/master-key.ts';
import type { TreePart } from '../tree-part.ts';

/** What the reading thread is started with; it loads its modules before there is more to tell. */
export interface ReaderData {
  readonly tempDir: string;
  /** With checked settings. */
  readonly source: DriverSettings;
  /** Module that exports `sourceReaders`. */
  readonly readersUrl: string;
  readonly control: Int32Array;
}

/** First message to the reading thread. */
export interface ReaderStart {
  readonly polynomial: bigint;
  readonly knownBlobs: SharedBlobIds;
  /** Tree of the snapshot to compare with; null: none. */
  readonly parentTree: Uint8Array | null;
  /** True: count what there is to read, for percent and ETA. */
  readonly wantsTotals: boolean;
}

/** How far the reading is. */
export interface BackupCounters {
  items: number;
  files: number;
  bytes: number;
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  dirsNew: number;
  dirsChanged: number;
  dirsUnmodified: number;
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of new blobs. */
  bytesAdded: number;
  currentItem: string | null;
}

/** New blobs in a slot. `rows`: offset in the memory, length and type (1: tree) of each; `ids`: 32 bytes each. */
export interface FilledSlot {
  readonly slot: number;
  readonly rows: Uint32Array;
  readonly ids: Uint8Array;
}

/** A blob too long for a slot: the tree of a folder with very many items. */
export interface LargeBlob {
  readonly id: Uint8Array;
  readonly parts: readonly TreePart[];
}

export type FromReader =
  | { readonly type: 'memory'; readonly memory: SharedArrayBuffer }
  | { readonly type: 'slot'; readonly filled: FilledSlot }
  | { readonly type: 'large'; readonly blob: LargeBlob }
  /** Ids one after the other: trees of the parent snapshot that are wanted soon, the first now. */
  | { readonly type: 'trees'; readonly ids: Uint8Array }
  | { readonly type: 'progress'; readonly counters: BackupCounters }
  | { readonly type: 'problem'; readonly problem: ItemProblem }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly message: string }
  | { readonly type: 'totals'; readonly totals: SourceTotals }
  | { readonly type: 'done'; readonly tree: Uint8Array; readonly counters: BackupCounters }
  | { readonly type: 'error'; readonly error: ThreadError };

/**
 * Answer to `trees`, in parts as `ParentTree` takes them: at least the first, fewer than asked for when they are large. Null: it cannot be read, so nothing
 * below is taken as unchanged.
 */
export type ToReader = { readonly trees: readonly (readonly TreePart[] | null)[] };

export interface SealerData {
  readonly masterKey: MasterKey;
  /** The slots. */
  readonly memory: SharedArrayBuffer;
}

export type ToSealer =
  | { readonly type: 'slot'; readonly rows: Uint32Array }
  | { readonly type: 'large'; readonly parts: readonly TreePart[] };

/** `lengths`: sealed length and plain length (0: not compressed) of each blob. */
export type FromSealer =
  | { readonly type: 'sealed'; readonly lengths: Uint32Array }
  | { readonly type: 'sealedLarge'; readonly sealed: Uint8Array; readonly plainLength: number }
  | { readonly type: 'failed'; readonly error: ThreadError };
