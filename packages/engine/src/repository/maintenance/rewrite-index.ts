/**
 * Replaces index files by others that do not name certain packs. New files are stored before old ones are removed, so
 * that at every moment each pack that stays is named by some index.
 */

import { BitSet } from '../bit-set.ts';
import type { IndexedPack } from '../format/index-file.ts';
import { packIndex } from '../format/index-file.ts';
import type { PackEntry } from '../format/pack-header.ts';
import { inOrder } from './in-order.ts';
import type { IndexFile, LoadedIndex } from './index-files.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';
import type { PackTable } from './pack-table.ts';

const BLOBS_PER_FILE = 50_000;
/** An index file with fewer blobs is small; so many small ones become few. */
const SMALL_FILE_BLOBS = 10_000;
const MAX_SMALL_FILES = 10;

export interface RewriteOptions {
  readonly loaded: LoadedIndex;
  readonly table: PackTable;
  /** Packs that no index shall name any longer. */
  readonly isDropped: (pack: number) => boolean;
  /** Packs that the files shall name besides those they name now. */
  readonly added?: AsyncIterable<IndexedPack>;
  /** Further files that go, such as damaged ones. */
  readonly obsolete?: readonly string[];
  /** Done when the new files are stored, before old ones go. */
  readonly beforeRemoving?: () => Promise<unknown>;
}

export interface RewrittenIndex {
  /** Names of the new files. */
  readonly stored: readonly string[];
  /** Names of those that went. */
  readonly removed: readonly string[];
}

/** Does it. */
export async function rewriteIndex(work: MaintenanceWork, options: RewriteOptions): Promise<RewrittenIndex> {
  const files = filesToRewrite(options);
  const stored = await storeReplacements(work, packsOf(options, files));
  await options.beforeRemoving?.();
  const removed = [...files.map(({ name }) => name), ...(options.obsolete ?? [])];
  await removeFiles(work, removed);
  return { stored, removed };
}

/** Files that name a dropped pack or one that is named twice; and small files when there are many. */
function filesToRewrite({ loaded, table, isDropped }: RewriteOptions): IndexFile[] {
  const isSmall = ({ firstEntry, endEntry }: IndexFile) => endEntry - firstEntry < SMALL_FILE_BLOBS;
  const isTooMany = loaded.files.filter(isSmall).length >= MAX_SMALL_FILES;
  return loaded.files.filter((file) => {
    if (isTooMany && isSmall(file)) return true;
    for (let mention = file.firstPack; mention < file.endPack; mention += 1) {
      const pack = table.packOfMention(mention);
      if (isDropped(pack) || table.isNamedTwice(pack)) return true;
    }
    return file.firstPack === file.endPack;
  });
}

/** What the files say about packs that stay, each pack once: all files that name a pack twice are among them. */
async function* packsOf(
  { table, isDropped, added }: RewriteOptions,
  files: readonly IndexFile[],
): AsyncGenerator<IndexedPack> {
  const written = new BitSet(table.count);
  for (const { firstPack, endPack } of files) {
    for (let mention = firstPack; mention < endPack; mention += 1) {
      const pack = table.packOfMention(mention);
      if (isDropped(pack) || !written.add(pack)) continue;
      const entries = Array.from(table.entriesOf(pack), (entry): PackEntry => table.index.placeOf(entry));
      if (entries.length > 0) yield { id: table.hexOf(pack), entries };
    }
  }
  if (added) yield* added;
}

async function storeReplacements(work: MaintenanceWork, packs: AsyncIterable<IndexedPack>): Promise<string[]> {
  const names: string[] = [];
  let gathered: IndexedPack[] = [];
  let blobs = 0;
  const store = async () => {
    if (gathered.length > 0) {
      const ids = gathered.map(({ id }) => id);
      names.push(await work.repository.saveFile('index', packIndex(gathered), work.signal, ids));
    }
    gathered = [];
    blobs = 0;
  };
  for await (const pack of packs) {
    if (blobs + pack.entries.length > BLOBS_PER_FILE) await store();
    gathered.push(pack);
    blobs += pack.entries.length;
  }
  await store();
  return names;
}

async function removeFiles(work: MaintenanceWork, names: readonly string[]): Promise<void> {
  const tasks = names.map((name) => () => work.repository.removeFile('index', name, work.signal));
  for await (const _ of inOrder(tasks, FILES_AT_ONCE));
}
