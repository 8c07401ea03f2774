/**
 * Deletes what no base backup needs any more. A segment is judged by its place in the log alone, whatever its timeline,
 * so what a branch still needs of its parent stays; histories stay for ever, they are a few lines.
 */
import { AppError } from '@backupx/contracts/errors';
import { runInOrder } from '../direct-storage/run-in-order.ts';
import { type ArchiveContents, type NumberedWal, sortContents } from './archive-contents.ts';
import type { Cluster } from './archive-keys.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { parseWalName, segmentName, segmentNumber } from './wal-names.ts';

export interface ExpireOptions {
  readonly signal: AbortSignal;
  /** What comes before this segment goes; null: `keepBackups` says. */
  readonly before: string | null;
  /** What the newest so many base backups need stays. */
  readonly keepBackups: number | null;
  /** False: only tells. */
  readonly isDeleting: boolean;
  /** Also what the newest base backup needs. */
  readonly isForced: boolean;
  readonly parallelism: number;
}

export interface Expiry {
  /** The first segment that stays. */
  readonly keptFrom: string;
  readonly files: readonly string[];
  readonly sizeBytes: number;
  readonly isDeleted: boolean;
}

/** Throws INVALID_INPUT, WAL_STILL_NEEDED, WAL_ARCHIVE_MISSING, WAL_OTHER_CLUSTER, and what the storage throws. */
export async function expireArchive(archive: WalArchiveStore, options: ExpireOptions): Promise<Expiry> {
  const { signal, parallelism, isDeleting } = options;
  const cluster = await archive.cluster(signal);
  const contents = sortContents(await archive.list(signal), cluster.segmentBytes);
  const cut = chooseCut(contents, cluster, options);
  const numbered = [...contents.timelines.flatMap((item) => item.segments), ...contents.backups, ...contents.partials];
  const going = numbered.filter(({ segment }) => segment < cut).sort((a, b) => a.segment - b.segment);
  if (isDeleting) {
    const remove = (file: NumberedWal) => archive.delete(file, signal);
    // Labels first: one that is left by a kill would tell of a base backup that has lost its log.
    for (const isLabel of [true, false]) {
      const some = going.filter(({ kind }) => (kind === 'backup') === isLabel);
      await runInOrder(some, remove, { parallelism, isSerial: () => false });
    }
    await freeNames(archive, { signal, parallelism, isOld: (file) => segmentNumber(file, cluster.segmentBytes) < cut });
  }
  const timeline = contents.timelines.at(-1)?.timeline ?? 1;
  return {
    keptFrom: segmentName(timeline, cut, cluster.segmentBytes),
    files: going.map(({ name }) => name),
    sizeBytes: going.reduce((sum, file) => sum + file.sizeBytes, 0),
    isDeleted: isDeleting,
  };
}

/** A push that was killed, or may not delete, leaves its claim; of names that have gone nobody stores anything any more. */
async function freeNames(
  archive: WalArchiveStore,
  { signal, parallelism, isOld }: Pick<ExpireOptions, 'signal' | 'parallelism'> & { isOld(name: string): boolean },
): Promise<void> {
  const old = (await archive.taken(signal)).filter(({ kind, name }) => kind !== 'history' && isOld(name));
  await runInOrder(old, (file) => archive.giveBack(file, signal), { parallelism, isSerial: () => false });
}

function chooseCut(contents: ArchiveContents, { segmentBytes }: Cluster, options: ExpireOptions): number {
  const { before, keepBackups } = options;
  if ((before === null) === (keepBackups === null)) throw invalid('--before', 'give either this or --keep-backups');
  if (before === null) return cutByBackups(contents, keepBackups ?? 1);
  const name = parseWalName(before);
  if (!name || name.kind === 'history') throw invalid('--before', 'must be the name of a segment');
  const cut = segmentNumber(before, segmentBytes);
  // A digit in the wrong place would be a place far behind.
  if (segmentName(name.timeline, cut, segmentBytes) !== before.slice(0, 24)) {
    throw invalid('--before', `is no name in a log whose segments have ${segmentBytes / 2 ** 20} MiB`);
  }
  const newest = contents.backups.at(-1);
  if (newest && newest.segment < cut && !options.isForced) {
    throw new AppError('WAL_STILL_NEEDED', {
      time: newest.storedAt?.toISOString() ?? newest.name,
      segment: newest.name.slice(0, 24),
    });
  }
  return cut;
}

function cutByBackups({ backups }: ArchiveContents, kept: number): number {
  // The same label may be there twice, encrypted and not.
  const all = [...new Map(backups.map((label) => [label.name, label.segment])).values()];
  const needed = all.slice(-kept);
  if (all.length < kept || needed.length === 0) {
    throw invalid('--keep-backups', `the archive holds the labels of ${all.length} base backups; nothing expires`);
  }
  return Math.min(...needed);
}

function invalid(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'invalid', message }] });
}
