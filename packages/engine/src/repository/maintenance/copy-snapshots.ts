/**
 * Copies snapshots to another repository, as `restic copy` does: trees byte for byte, only blobs that are missing there,
 * each verified on the way and sealed with the other key. Order as in a backup: packs, index, snapshots; so what an
 * interrupted copy stored is used by the next.
 */
import { AppError } from '@backupx/contracts/errors';
import type { CopySnapshotsResult } from '@backupx/contracts/jobs';
import { systemClock } from '../../ports/clock.ts';
import { BitSet } from '../bit-set.ts';
import type { BlobIndex } from '../blob-index.ts';
import { type BlobReader, createBlobReader } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { parseGoTime } from '../format/go-time.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { createPackWriter, type PackWriter } from '../pack-writer.ts';
import { saveSnapshot } from '../snapshots.ts';
import { damageReason, loadIndexFiles } from './index-files.ts';
import { findLiveBlobs } from './live-blobs.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { PackTable } from './pack-table.ts';
import { windowsOf } from './read-pack-blobs.ts';
import { pickSnapshots, readSnapshots } from './read-snapshots.ts';
import { isUnread, sealForOther, transferBlobs } from './transfer-blobs.ts';

/** Snapshots are gathered until they need so much; their blobs are then copied in the order of the packs. */
const BATCH_BYTES = 256 * 1024 * 1024;

export interface CopySnapshotsOptions
  extends Partial<Pick<MaintenanceWork, 'clock' | 'log' | 'onItem' | 'onRead' | 'onStored'>> {
  readonly from: Repository;
  readonly to: Repository;
  /** Ids or beginnings of them; null: all. Those named here come back in `copied` also when they were there already. */
  readonly snapshotIds: readonly string[] | null;
  /** Packs of the target (hex) to which nothing new may refer. */
  readonly condemnedPacks?: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Runs it; the caller holds a lock on both. A snapshot that is damaged is left out and the others are copied; then it
 * throws REPOSITORY_DAMAGED, which names it.
 */
export async function copySnapshots(options: CopySnapshotsOptions): Promise<CopySnapshotsResult> {
  const copy = await openCopy(options);
  for (const snapshot of copy.missing) {
    await gather(copy, snapshot);
    if (copy.wantedBytes >= BATCH_BYTES) await storeBatch(copy);
  }
  await storeBatch(copy);
  const [failure] = copy.failures;
  if (failure !== undefined)
    throw new AppError('REPOSITORY_DAMAGED', { reason: `not copied: ${copy.failures.join('; ')}` });
  const { blobs, bytesStored } = copy.writer.stats;
  return { copied: copy.copied, skipped: copy.skipped, blobsCopied: blobs, bytesStored };
}

type CopyReader = Pick<BlobReader, 'read' | 'treePieces'>;

interface Copy {
  readonly source: MaintenanceWork;
  readonly target: MaintenanceWork;
  readonly index: BlobIndex;
  readonly table: PackTable;
  readonly reader: CopyReader;
  readonly targetIndex: BlobIndex;
  readonly writer: PackWriter;
  readonly missing: readonly Snapshot[];
  readonly skipped: number;
  readonly copied: { from: string; to: string }[];
  /** Copies in the target by the id in the source. */
  readonly copyOf: Map<string, string>;
  readonly failures: string[];
  /** Blobs of snapshots that were seen whole so far, by their first entry. */
  seen: BitSet;
  /** Blobs that were or will be copied, by their first entry. */
  readonly taken: BitSet;
  /** Blobs that could not be had, with the reason. */
  readonly lost: Map<number, string>;
  /** Blobs of the batch. */
  wanted: BitSet;
  wantedBytes: number;
  batch: Snapshot[];
}

async function openCopy(options: CopySnapshotsOptions): Promise<Copy> {
  const { from, to, signal, clock = systemClock } = options;
  const source: MaintenanceWork = { ...options, repository: from, clock };
  const target: MaintenanceWork = { signal, clock, repository: to };
  const [listed, existing] = await Promise.all([readSnapshots(source), readSnapshots(target)]);
  for (const { name, reason } of listed.damaged) options.log?.('warn', `Snapshot ${name} cannot be read: ${reason}`);
  const unread = listed.damaged.map(({ name, reason }) => `snapshot ${name.slice(0, 8)}: ${reason}`);
  const chosen = options.snapshotIds ? pickSnapshots(listed.snapshots, options.snapshotIds) : listed.snapshots;
  const copyOf = findCopies(listed.snapshots, existing.snapshots);
  const missing = chosen.filter(({ id }) => !copyOf.has(id));
  const known = options.snapshotIds ? chosen.filter(({ id }) => copyOf.has(id)) : [];
  const { index } = await loadIndexFiles(source);
  const ignoredPacks = new Set(options.condemnedPacks);
  const { onStored } = options;
  return {
    source,
    target,
    index,
    table: new PackTable(index),
    reader: unreadAsDamaged(createBlobReader({ repository: from, index, signal })),
    targetIndex: await loadIndex(to, { signal, ignoredPacks }),
    writer: createPackWriter({ repository: to, signal, clock, ...(onStored ? { onStored } : {}) }),
    missing,
    skipped: chosen.length - missing.length,
    copied: known.map(({ id }) => ({ from: id, to: copyOf.get(id) ?? id })),
    copyOf,
    // Where some were asked for it is not known that this was one of them.
    failures: options.snapshotIds ? [] : unread,
    seen: new BitSet(index.count),
    taken: new BitSet(index.count),
    lost: new Map(),
    wanted: new BitSet(index.count),
    wantedBytes: 0,
    batch: [],
  };
}

/** A disk with bad sectors is a reason to copy what is whole, not to give up. */
function unreadAsDamaged(reader: BlobReader): CopyReader {
  return {
    read: (id, type) => reader.read(id, type).catch((error: unknown) => throwAsDamaged(error, `${type} blob`, id)),
    async *treePieces(id) {
      try {
        yield* reader.treePieces(id);
      } catch (error) {
        throwAsDamaged(error, 'tree blob', id);
      }
    },
  };
}

function throwAsDamaged(error: unknown, what: string, id: Uint8Array): never {
  if (!isUnread(error)) throw error;
  const reason = `${what} ${toHex(id)}: ${damageReason(error)}`;
  throw new AppError('REPOSITORY_DAMAGED', { reason }, { cause: error });
}

/** Which snapshots have a copy already: the same but for parent and original. */
function findCopies(sources: readonly Snapshot[], targets: readonly Snapshot[]): Map<string, string> {
  const byOrigin = new Map<string, Snapshot[]>();
  for (const target of targets) {
    for (const origin of new Set([target.original ?? target.id, target.id])) {
      byOrigin.set(origin, [...(byOrigin.get(origin) ?? []), target]);
    }
  }
  const copies = new Map<string, string>();
  for (const source of sources) {
    const candidates = byOrigin.get(source.original ?? source.id) ?? [];
    const copy = candidates.find((target) => identityOf(target) === identityOf(source));
    if (copy) copies.set(source.id, copy.id);
  }
  return copies;
}

function identityOf({ time, tree, hostname, username, uid, gid, excludes, paths, tags }: Snapshot): string {
  const sets = [[...paths].sort(), [...tags].sort()];
  return JSON.stringify([String(parseGoTime(time)), tree, hostname, username, uid, gid, excludes, ...sets]);
}

/** Notes which blobs of a snapshot the target lacks. */
async function gather(copy: Copy, snapshot: Snapshot): Promise<void> {
  const { index, targetIndex, reader, source, seen, taken } = copy;
  try {
    await findLiveBlobs([snapshot.tree], {
      index,
      reader,
      signal: source.signal,
      live: seen,
      onNew(entry) {
        if (targetIndex.find(index.idOf(entry), index.typeOf(entry)) >= 0 || !taken.add(entry)) return;
        copy.wanted.add(entry);
        copy.wantedBytes += index.storedLengthOf(entry);
      },
    });
    copy.batch.push(snapshot);
  } catch (error) {
    leaveOut(copy, snapshot, error);
    // What the walk did not reach must not count as seen for the next snapshot.
    copy.seen = new BitSet(index.count);
  }
}

/** The error again unless the source is damaged. */
function leaveOut(copy: Copy, snapshot: Snapshot, error: unknown): void {
  copy.source.signal.throwIfAborted();
  if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') throw error;
  copy.failures.push(`snapshot ${snapshot.id.slice(0, 8)}: ${damageReason(error)}`);
}

async function storeBatch(copy: Copy): Promise<void> {
  const { source, index, reader, writer, target, lost } = copy;
  await transferBlobs({
    source,
    index,
    windows: wantedWindows(copy),
    writer,
    reader,
    reseal: sealForOther(target.repository.box, target.repository.config.version),
    onLost: (entry, reason) => lost.set(entry, reason),
    isDamage: isUnread,
  });
  await writer.finish();
  for (const snapshot of copy.batch) {
    try {
      if (lost.size > 0) await assertWhole(copy, snapshot);
      await saveCopy(copy, snapshot);
    } catch (error) {
      leaveOut(copy, snapshot, error);
    }
  }
  copy.batch = [];
  copy.wanted = new BitSet(index.count);
  copy.wantedBytes = 0;
}

function* wantedWindows({ table, index, wanted }: Copy) {
  if (wanted.size === 0) return;
  for (let pack = 0; pack < table.count; pack += 1) {
    const entries: number[] = [];
    for (const entry of table.entriesOf(pack)) if (wanted.has(entry)) entries.push(entry);
    if (entries.length > 0) yield* windowsOf(index, table.hexOf(pack), entries);
  }
}

/** Throws REPOSITORY_DAMAGED when the snapshot needs a blob that could not be had. */
async function assertWhole(copy: Copy, snapshot: Snapshot): Promise<void> {
  const { index, reader, source, lost } = copy;
  await findLiveBlobs([snapshot.tree], {
    index,
    reader,
    signal: source.signal,
    live: new BitSet(index.count),
    onNew(entry) {
      const reason = lost.get(entry);
      if (reason !== undefined) throw new AppError('REPOSITORY_DAMAGED', { reason });
    },
  });
}

async function saveCopy(copy: Copy, snapshot: Snapshot): Promise<void> {
  const { target, copyOf } = copy;
  const { id, ...fields } = snapshot;
  const parent = snapshot.parent === null ? null : (copyOf.get(snapshot.parent) ?? null);
  const saved = await saveSnapshot(
    target.repository,
    { ...fields, parent, original: snapshot.original ?? id },
    target.signal,
  );
  copyOf.set(id, saved.id);
  copy.copied.push({ from: id, to: saved.id });
  copy.source.log?.('info', `Snapshot ${id.slice(0, 8)} was copied; there it is ${saved.id.slice(0, 8)}.`);
}
