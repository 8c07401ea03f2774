/**
 * The source port: one interface for every kind of thing that can be backed up.
 *
 * A source yields entries in archive order (a folder before what is in it) and takes them back on restore. It knows
 * nothing of archives, encryption or storages; `archive/` and later `repository/` are two writers over the same entries.
 * A source that streams (a dump) makes its stream throw when what it brought is not whole: then the run fails.
 * Sources run in a worker thread: synchronous file calls are welcome, they are many times cheaper there.
 */
import type {
  InspectSourceResult,
  InspectTargetResult,
  ItemProblem,
  OverwriteMode,
  VerifyCheck,
  VerifyMode,
} from '@backupx/contracts/jobs';
import type { z } from 'zod';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'char_device' | 'block_device';

/** A stretch of data in a sparse file; what lies between segments reads as zeros. */
export interface DataSegment {
  readonly offset: number;
  readonly length: number;
}

/** Content read by synchronous calls, for sources over local files. The archive writer calls `close` in every case. */
export interface SyncContent {
  readonly kind: 'sync';
  /** Size announced to the archive; when the file has shrunk the rest is zeros and `read` reports it by returning 0. */
  readonly sizeBytes: number;
  /** Data stretches of a sparse file in ascending order; null: dense. */
  readonly segments: readonly DataSegment[] | null;
  /** Reads at most `length` bytes at file position `position` into `target` at `offset`; 0 at the end. May throw. */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  close(): void;
}

/**
 * Content that streams from a process or a socket. `sizeBytes` null: not known beforehand. A chunk is good until the next
 * is asked for: its memory may be used again.
 */
export interface StreamContent {
  readonly kind: 'stream';
  readonly sizeBytes: number | null;
  readonly stream: AsyncIterable<Uint8Array>;
}

export type EntryContent = SyncContent | StreamContent;

/** What tells one version of an item from another; given by sources that read a file system. */
export interface ItemIdentity {
  readonly inode: bigint;
  readonly device: bigint;
  readonly linkCount: number;
  readonly sizeBytes: bigint;
  readonly accessedAtNs: bigint;
  /** Last change of content or metadata (ctime). */
  readonly changedAtNs: bigint;
}

/**
 * One item. Paths are raw bytes because file names need not be UTF-8; absolute at the source, no trailing slash.
 * Times are nanoseconds since 1970 as bigint.
 */
export interface SourceEntry {
  readonly path: Uint8Array;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly modifiedAtNs: bigint;
  /** Symlink target, or the path of the first name of a hard link (raw bytes). */
  readonly linkTarget: Uint8Array | null;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes, ACLs among them (`system.posix_acl_access`). */
  readonly xattrs: ReadonlyMap<string, Uint8Array> | null;
  /** Why some of its metadata are missing here (reported as a problem); left out: they are all here. */
  readonly metadataError?: string;
  /** Present for files only; null for one that `BackupContext.isUnchanged` said is known. */
  readonly content: EntryContent | null;
  readonly identity?: ItemIdentity;
}

/** What `lstatSync` says of an item, with bigints. */
export interface ListedItem {
  /** With the bits of its type. */
  readonly mode: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export interface SourceTotals {
  readonly items: number;
  readonly bytes: number;
}

export interface BackupContext {
  readonly signal: AbortSignal;
  /** Folder for secrets of programs and for what cannot be streamed. */
  readonly tempDir: string;
  /** Reports an item that is missing or not as it was; the run goes on and ends as a warning. */
  problem(problem: ItemProblem): void;
  log(level: 'info' | 'warn', message: string): void;
  /**
   * Asked before all else about each item, in the order of the entries. True: it is a file exactly as it was in an
   * earlier run, and recorded; the source goes on without an entry. `folder` (`''`: the root) and `name` are raw bytes as
   * latin1 text. One number has one name during a run.
   */
  takeUnchanged?(folder: string, name: string, item: ListedItem): boolean;
  /**
   * Asked before a file is opened, in the order of the entries. True: its content is known from an earlier run, so the
   * source yields the entry without looking further (`content` and `xattrs` null: either would have changed the times).
   * `'content'`: not all of its attributes could be read then, so they are read again.
   */
  isUnchanged?(item: { path: Uint8Array; modifiedAtNs: bigint; identity: ItemIdentity }): boolean | 'content';
  /** False: nobody wants to know the data stretches of sparse files. Left out: true. */
  readonly wantsSegments?: boolean;
  /** True: also the further names of a file have its extended attributes. Left out: the first name has them for all. */
  readonly wantsLinkAttributes?: boolean;
}

export interface RestoreContext {
  readonly signal: AbortSignal;
  /** Absolute folder to restore under; null: every entry goes back to its own path. */
  readonly targetPath: string | null;
  /** Original paths wanted (each with everything below it); null: all. */
  readonly paths: readonly string[] | null;
  readonly overwrite: OverwriteMode;
  /** Folder for lists that must not fill the memory. */
  readonly tempDir: string;
  /** What the user chose beyond the above, checked against the driver's `restoreConfig`; `{}` without one. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * True: every byte was verified before it comes here. Then each item is put in place as soon as it is whole, also over
   * what is there, and `rollback` leaves it: running the restore again finds it. Left out: false.
   */
  readonly isVerified?: boolean;
  /** True: nothing is written; what would be is counted and logged. For verified content only. Left out: false. */
  readonly isDryRun?: boolean;
  problem(problem: ItemProblem): void;
  log(level: 'info' | 'warn', message: string): void;
  progress(delta: { items?: number; bytes?: number; currentItem?: string }): void;
}

/** Content on its way back. */
export interface RestoreContent extends AsyncIterable<Uint8Array> {
  /**
   * Reads what is left of it at once, when it is there without waiting; otherwise null, and nothing was read. Valid until
   * the next entry is asked for.
   */
  takeNow?(): Uint8Array | null;
}

/** One entry on its way back; `content` must be read to its end (or not at all) before the next entry is asked for. */
export interface RestoreEntry extends Omit<SourceEntry, 'content'> {
  readonly sizeBytes: number;
  /** True: a stream in an archive, whose size is not known before it was read; `sizeBytes` is 0. Left out: false. */
  readonly isStream?: boolean;
  readonly segments: readonly DataSegment[] | null;
  /** Data bytes only (holes of a sparse file are not in it). Null for everything but files. */
  readonly content: RestoreContent | null;
}

export interface RestoreOutcome {
  readonly itemsWritten: number;
  readonly bytesWritten: number;
  readonly itemsSkipped: number;
}

/** A file whose content comes in pieces. */
export type RestoreFileEntry = Omit<RestoreEntry, 'content' | 'segments'>;

/** Content of the right size that is there already and may hold some of what is wanted. */
export interface ExistingContent {
  /**
   * `keep`: the file in the place; when all of it is right it may stay (`keepExisting`). `copy`: the same, but it must
   * not stay, so what is right is written like any other piece. `continue`: the file that is being written, begun by a
   * restore that was killed; what is right in it need not be written again.
   */
  readonly use: 'keep' | 'copy' | 'continue';
  /** Reads at `position` until `target` is full; answers the bytes read, fewer at the end or after an error. */
  read(target: Uint8Array, position: number): number;
}

/**
 * A file being restored from pieces. All calls are synchronous. Once something went wrong with the file (which is
 * reported as a problem), `isOpen` is false and further calls do nothing. Every file must be ended by one of the last
 * three, in the order of the caller's choice; many may be open at once.
 */
export interface RestoreFile {
  readonly isOpen: boolean;
  /** To be looked at before the first piece is written; null: there is nothing. */
  readonly existing: ExistingContent | null;
  /** Says that `existing` is not read any more. */
  closeExisting(): void;
  /** Writes a piece; what is never written reads as zeros, and long runs of zeros become holes. */
  writeAt(bytes: Uint8Array, position: number): void;
  /** Ends the file with all metadata in its place. True when it is there. */
  finish(): boolean;
  /** Ends the file by leaving what is in its place, whose content was found to be right, and setting its metadata. */
  keepExisting(): boolean;
  /** Ends the file by removing what was written of it. */
  discard(): void;
}

/**
 * A restore in two steps, because the artifact's checksum is known to be right only after its last byte was read.
 * `write` may create what is not there yet, but must keep anything it would overwrite untouched (staged aside);
 * `commit` puts the staged items in place and sets metadata; `rollback` removes everything `write` made.
 */
export interface RestoreSession {
  /**
   * True: of the content in `write` a chunk is needed only until the next is asked for, so its memory may be used again.
   * Left out: chunks stay as they are as long as anybody holds them.
   */
  readonly usesContentAtOnce?: boolean;
  write(entry: RestoreEntry): Promise<void>;
  /**
   * Begins a file whose content comes in pieces, in any order, beside other files; needs `isVerified`. Its folder must
   * have been written before. Null when it is not to be written (overwrite mode, not wanted) or cannot be (reported).
   * Optional power: without it also a snapshot of a repository comes through `write`, item by item, by name.
   */
  openFile?(entry: RestoreFileEntry): RestoreFile | null;
  /** With `isVerified` also to be called after a failure: what is in place stays and gets whole. */
  commit(): Promise<RestoreOutcome>;
  rollback(): Promise<void>;
}

/** Asked beside a backup or a restore, within seconds. */
export interface InspectContext {
  readonly signal: AbortSignal;
  readonly tempDir: string;
}

/** What a source found out about the place it is to read, with the very programs and settings of a backup. */
export type SourceInspection = InspectSourceResult;

/** Asked before a restore into a server, within seconds. */
export interface TargetContext extends InspectContext {
  /** As in a restore. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Paths in the artifact of the inventories of what would be restored. */
  readonly entries: readonly string[];
}

/** What is there already, and who uses it. */
export interface TargetInspection extends Omit<InspectTargetResult, 'otherVersion'> {
  /** Name and version of the server, as inventories have them; left out: which one a backup comes from does not matter. */
  readonly product?: string;
}

export interface VerifyContext {
  readonly signal: AbortSignal;
  readonly tempDir: string;
  /** `quick`: the structure of what is stored. `deep`: restored into a scratch place, compared, dropped again. */
  readonly depth: VerifyMode;
  /** Where to restore to, checked against the driver's `restoreConfig`; `{}`: a server of this machine, started for it. */
  readonly options: Readonly<Record<string, unknown>>;
  log(level: 'info' | 'warn', message: string): void;
}

/**
 * Proves that an artifact can be restored. Entries come as in a restore, whole and in order; `finish` answers what was
 * proven. A check that fails is an answer, not an error. `close` removes every trace, whatever happened; idempotent.
 */
export interface Verifier {
  write(entry: RestoreEntry): Promise<void>;
  finish(): Promise<readonly VerifyCheck[]>;
  close(): Promise<void>;
}

/** How an artifact of this source can be proven; every source has at least the first. */
export type VerifyDepth = 'checksum-only' | 'structure' | 'restore';

export interface SourceDriver<C extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  readonly title: string;
  readonly config: C;
  readonly verify: VerifyDepth;
  /**
   * Yields the entries; streams in byte order of their paths, which is the order they come back in from a repository,
   * unless the source does not mind the order when it restores. Throws `SOURCE_NOT_FOUND` or `SOURCE_NOT_READABLE` when nothing at all can be read;
   * a single bad item is a `problem`.
   */
  entries(config: z.output<C>, context: BackupContext): Iterable<SourceEntry> | AsyncIterable<SourceEntry>;
  /**
   * Counts what `entries` would yield, for percent and ETA: totals so far, step by step; may be left out. The steps are
   * taken while the backup waits for other things, so each must be short.
   */
  countTotals?(config: z.output<C>): Iterable<SourceTotals>;
  /**
   * The folders above what `entries` yields, outermost first, for stores that keep whole paths. Archives do without.
   * A folder that cannot be looked at is left out.
   */
  ancestors?(config: z.output<C>): Iterable<SourceEntry>;
  /** Absolute paths that a snapshot of these settings is named for; left out: `/<type>`. */
  snapshotPaths?(config: z.output<C>): readonly string[];
  restore(config: z.output<C>, context: RestoreContext): Promise<RestoreSession>;
  /** Settings of a restore beside paths and overwrite mode, for its form; left out: there are none. */
  readonly restoreConfig?: z.ZodObject;
  /** Tests the connection and looks around: what there is to back up, what is missing for it. Left out: nothing to ask. */
  inspect?(config: z.output<C>, context: InspectContext): Promise<SourceInspection>;
  /** What a restore would replace, and who is connected to it. Left out: nobody can say. */
  inspectTarget?(config: z.output<C>, context: TargetContext): Promise<TargetInspection>;
  /**
   * Name and version of the server that an entry was dumped from, as its inventory has them, by the first bytes of its
   * content; null: this one does not say. Throws what is wrong with a dump.
   */
  savedServer?(entry: Pick<RestoreEntry, 'path' | 'content'>): Promise<string | null>;
  /** Settings that back that up, whole: the databases `inspectTarget` named. Left out: it names none that can be saved. */
  targetSettings?(
    config: z.output<C>,
    options: Readonly<Record<string, unknown>>,
    databases: readonly string[],
  ): Promise<z.output<C>>;
  /** True: `openVerifier` heeds a server named in the options. Left out: false. */
  readonly verifiesOnServer?: boolean;
  /** Left out: an artifact is proven by reading it to its end. */
  openVerifier?(config: z.output<C>, context: VerifyContext): Promise<Verifier>;
}

/** The part of a driver that the reading thread needs, by type; the settings it gets are checked already. */
export type SourceReaders = Readonly<Record<string, SourceReader>>;
// biome-ignore lint/suspicious/noExplicitAny: each reader has settings of its own; who calls it has checked them.
export type SourceReader = Pick<SourceDriver<any>, 'entries' | 'countTotals' | 'ancestors'>;

/** Declares a source; only here to infer the config type. A driver without `verify` does not compile. */
export function defineSource<C extends z.ZodObject>(driver: SourceDriver<C>): SourceDriver<C> {
  return driver;
}
