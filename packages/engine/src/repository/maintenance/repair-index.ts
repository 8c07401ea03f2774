/**
 * Makes the index agree with the packs. What is good in it stays; packs it does not know, or says something impossible
 * about, are read for what they say about themselves. A pack that is damaged leaves the index, and its blobs that are
 * whole are stored anew first. No pack is removed. Where the storage fails, but for a bad sector of a disk, it stops: what
 * it could not read may be whole.
 */
import type { RepairRepositoryResult } from '@backupx/contracts/jobs';
import { createBlobReader } from '../blob-reader.ts';
import type { IndexedPack } from '../format/index-file.ts';
import { createPackWriter } from '../pack-writer.ts';
import { ChangeList } from './change-list.ts';
import { checkPackSizes } from './check-packs.ts';
import { inOrder } from './in-order.ts';
import { damageReason, type LoadedIndex, loadIndexFiles } from './index-files.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';
import { PackHealth } from './pack-health.ts';
import { PackTable } from './pack-table.ts';
import { ProblemLog } from './problem-log.ts';
import { windowsOf } from './read-pack-blobs.ts';
import { readPackHeader } from './read-pack-header.ts';
import { verifyPacks } from './read-packs.ts';
import { rewriteIndex } from './rewrite-index.ts';
import { listStoredPacks, type StoredPack } from './stored-packs.ts';
import { isBadSector, isPassing, transferBlobs } from './transfer-blobs.ts';

const READ_ATTEMPTS = 2;

export interface RepairIndexOptions {
  readonly dryRun: boolean;
  /** Verifies every blob; else only sizes and what packs say about themselves. */
  readonly readAllPacks: boolean;
}

/** Needs the exclusive lock. An index file goes when all it should say is stored in others. */
export async function repairIndex(work: MaintenanceWork, options: RepairIndexOptions): Promise<RepairRepositoryResult> {
  const loaded = await loadIndexFiles(work, { tolerateDamage: true });
  const table = new PackTable(loaded.index);
  const stored = await listStoredPacks(work, table);
  const health = new PackHealth({ table, stored, log: new ProblemLog() });
  const changes = new ChangeList();
  for (const { name, reason } of loaded.damaged)
    changes.add(`Index ${name} cannot be read (${reason}); it is replaced.`);
  const repair: Repair = { work, loaded, table, health, changes, toRead: [], damaged: [], dropped: new Set() };
  await sortOut(repair, options);
  const obsolete = loaded.damaged.map(({ name }) => name);
  const added = readHeaders(repair);
  if (options.dryRun) {
    for await (const _ of added);
    for (const pack of repair.damaged)
      changes.add(`Pack ${table.hexOf(pack)} is damaged; what is whole in it is stored anew.`);
  } else if (repair.dropped.size + repair.toRead.length + repair.damaged.length + changes.count > 0) {
    await rewriteIndex(work, {
      ...{ loaded, table, added, obsolete },
      isDropped: (pack) => repair.dropped.has(pack),
      beforeRemoving: () => saveWholeBlobs(repair),
    });
  }
  return { changes: changes.toArray(), newSnapshotIds: [] };
}

interface Repair {
  readonly work: MaintenanceWork;
  readonly loaded: LoadedIndex;
  readonly table: PackTable;
  readonly health: PackHealth;
  readonly changes: ChangeList;
  /** Packs whose own list of blobs is to be used. */
  readonly toRead: StoredPack[];
  /** Packs of the index that hold damaged blobs or no list of their own. */
  readonly damaged: number[];
  /** Packs about which the old index is not to be believed. */
  readonly dropped: Set<number>;
}

async function sortOut(repair: Repair, { readAllPacks }: RepairIndexOptions): Promise<void> {
  const { work, table, health, changes, toRead, damaged, dropped } = repair;
  const { stored } = health;
  toRead.push(...stored.unindexed);
  const suspects = new Set(checkPackSizes(health));
  const blobsOf = (pack: number) => [...table.entriesOf(pack)].length;
  const sound: number[] = [];
  for (let pack = 0; pack < table.count; pack += 1) {
    const sizeBytes = stored.sizes[pack] ?? -1;
    if (sizeBytes < 0) {
      dropped.add(pack);
      changes.add(`Pack ${table.hexOf(pack)} is missing; its ${blobsOf(pack)} blob(s) leave the index.`);
    } else if (suspects.has(pack) || table.isContradictory(pack)) {
      dropped.add(pack);
      toRead.push({ id: table.hexOf(pack), sizeBytes });
    } else {
      sound.push(pack);
      if (table.isNamedTwice(pack)) changes.add(`Pack ${table.hexOf(pack)} is named only once.`);
    }
  }
  if (!readAllPacks) return;
  await verifyPacks({ ...work, isDamage: isBadSector }, health, sound);
  for (const pack of sound) {
    if (!health.isBlamed(pack)) continue;
    dropped.add(pack);
    damaged.push(pack);
  }
}

/** What packs say about themselves. Those that say nothing are passed over; ones with a place in the index are `damaged`. */
async function* readHeaders(repair: Repair): AsyncGenerator<IndexedPack> {
  const { work, table, changes, toRead, damaged } = repair;
  const tasks = toRead.map((pack) => async () => ({ pack, header: await readHeader(work, pack) }));
  for await (const { pack, header } of inOrder(tasks, FILES_AT_ONCE)) {
    const known = table.find(Buffer.from(pack.id, 'hex'));
    if (Array.isArray(header)) {
      changes.add(`Pack ${pack.id} is put into the index with ${header.length} blob(s).`);
      yield { id: pack.id, entries: header };
    } else if (known >= 0) damaged.push(known);
    else changes.add(`Pack ${pack.id} is left out: ${header}.`);
    work.onItem?.(pack.id);
  }
}

/** The blobs of a pack, or why they are not known: read twice, since the first time a transfer may have damaged them. */
async function readHeader(work: MaintenanceWork, { id, sizeBytes }: StoredPack) {
  let reason = '';
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    try {
      return await readPackHeader(work, id, sizeBytes);
    } catch (error) {
      if (isPassing(error) && !isBadSector(error)) throw error;
      reason = damageReason(error);
    }
  }
  return reason;
}

/** Stores the blobs of damaged packs that are whole in new packs, with an index of their own. */
async function saveWholeBlobs({ work, table, health, changes, damaged }: Repair): Promise<void> {
  const { repository, signal, clock, onStored } = work;
  const { index } = table;
  const writer = createPackWriter({ repository, signal, clock, ...(onStored ? { onStored } : {}) });
  for (const pack of damaged) {
    const lost: number[] = [];
    const entries = [...table.entriesOf(pack)];
    await transferBlobs({
      // What fails in a large request is read again in a smaller one, and from other packs that have it.
      ...{
        source: work,
        index,
        writer,
        reader: createBlobReader({ repository, index, signal }),
        isDamage: isBadSector,
      },
      windows: windowsOf(index, table.hexOf(pack), entries),
      onLost: (entry) => lost.push(entry),
    });
    const names = lost.length > 0 ? `; lost: ${health.namesOf(lost)}` : '';
    const saved = `${entries.length - lost.length} of ${entries.length}`;
    changes.add(
      `Pack ${table.hexOf(pack)} is damaged and leaves the index; ${saved} blob(s) were stored anew${names}.`,
    );
  }
  await writer.finish();
}
