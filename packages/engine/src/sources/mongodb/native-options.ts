/** How the native path is called: dumps and restores over the driver, where mongodump and mongorestore are missing. */
import type { MongoClient } from 'mongodb';
import type { ArchiveInventory, CollectionType, Namespace } from './archive-format.ts';

export interface NativeDumpOptions {
  /** Connected; its time limits are its own. Stays open. */
  readonly client: MongoClient;
  readonly database: string;
  readonly signal: AbortSignal;
  /** Collections, views and time series wanted; left out: all. */
  readonly wants?: (collection: string) => boolean;
  /** A sentence for the log: what the dump is not, or has not. */
  note(message: string): void;
  /** Called once, after the last byte. */
  onInventory(inventory: ArchiveInventory): void;
}

export interface NativeRestoreOptions {
  /** Connected; its time limits are its own. Stays open. */
  readonly client: MongoClient;
  readonly signal: AbortSignal;
  /** What is restored, in messages: the name of the dump. */
  readonly label: string;
  /** Where a collection goes; left out: where it came from. Views look at the names that they looked at. */
  readonly rename?: (from: Namespace) => Namespace;
  /** Namespaces wanted, by their names in the archive; left out: all. */
  readonly wants?: (from: Namespace) => boolean;
  /** Collections that are there: `refuse` before anything is written, `add` to them, or `drop` them one by one. */
  readonly existing: 'refuse' | 'add' | 'drop';
  /** A sentence for the log: what was left out, and why. */
  note(message: string): void;
  progress?(delta: { readonly documents: number; readonly bytes: number; readonly namespace: string }): void;
}

export interface RestoredNamespace {
  readonly from: Namespace;
  readonly to: Namespace;
  readonly type: CollectionType;
  readonly documents: number;
  readonly bytes: number;
  /** Without the one on `_id`. */
  readonly indexes: number;
}
