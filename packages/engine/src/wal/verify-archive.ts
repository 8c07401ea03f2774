/** Whether a recovery could go through an archive: what is missing, and what does not come back as it was stored. */
import { AppError } from '@backupx/contracts/errors';
import { ByteSource } from '../archive/byte-source.ts';
import { describeError } from '../direct-storage/describe-error.ts';
import { runInOrder } from '../direct-storage/run-in-order.ts';
import { type ArchiveContents, sortContents } from './archive-contents.ts';
import type { Cluster, StoredWal } from './archive-keys.ts';
import {
  type Branch,
  findGaps,
  type Gap,
  gapsAtBackups,
  guessBranch,
  type LogStart,
  mergeGaps,
  type TimelineSegments,
} from './find-gaps.ts';
import { readHistory } from './read-branches.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { checkSegment, WAL_HEADER_BYTES } from './wal-header.ts';
import { parseLsn, parseWalName, segmentName, segmentNumber, segmentOfLsn } from './wal-names.ts';

export interface VerifyWalOptions {
  readonly signal: AbortSignal;
  /** A segment, or a place in the log such as `0/3000028`; null: the first segment there is. */
  readonly from: string | null;
  /** Reads every file. */
  readonly isDeep: boolean;
  /** Files read at the same time. */
  readonly parallelism: number;
}

export interface MissingSegments {
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

export interface FoundProblem {
  readonly name: string;
  readonly reason: string;
}

export interface WalVerdict extends Cluster {
  readonly isWhole: boolean;
  readonly segments: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly missing: readonly MissingSegments[];
  readonly damaged: readonly FoundProblem[];
  /** What could not be judged, and why. */
  readonly unchecked: readonly FoundProblem[];
}

/** Throws WAL_ARCHIVE_MISSING, WAL_OTHER_CLUSTER, INVALID_INPUT for `from`, and what the storage throws. */
export async function verifyArchive(archive: WalArchiveStore, options: VerifyWalOptions): Promise<WalVerdict> {
  const { signal } = options;
  const cluster = await archive.cluster(signal);
  const start = readStart(options.from, cluster.segmentBytes);
  const files = await archive.list(signal);
  const contents = sortContents(files, cluster.segmentBytes);
  const found: Findings = { damaged: conflicts(files), unchecked: [] };
  const counted = contents.timelines.map(({ timeline, segments }) => ({
    timeline,
    segments: [...new Set(segments.map(({ segment }) => segment))],
  }));
  const branches = await readBranches({ contents, counted }, { archive, cluster, found, signal });
  const backups = contents.backups.filter(({ segment }) => segment >= (start?.segment ?? 0));
  const gaps = mergeGaps([...findGaps(counted, branches, start), ...gapsAtBackups(counted, backups)]);

  if (options.isDeep) await readAll(afterStart(files, start, cluster), { archive, cluster, found, options });
  const missing = gaps.map((gap) => describeGap(gap, cluster));
  const all = contents.timelines.flatMap(({ segments }) => segments);
  return {
    ...cluster,
    // Who asked for every file to be read did not get that.
    isWhole: missing.length === 0 && found.damaged.length === 0 && !(options.isDeep && found.unchecked.length > 0),
    segments: all.length,
    first: all[0]?.name ?? null,
    last: all.at(-1)?.name ?? null,
    missing,
    ...found,
  };
}

interface Findings {
  readonly damaged: FoundProblem[];
  readonly unchecked: FoundProblem[];
}

interface Work {
  readonly archive: WalArchiveStore;
  readonly cluster: Cluster;
  readonly found: Findings;
}

function readStart(from: string | null, segmentBytes: number): LogStart | null {
  if (from === null) return null;
  const lsn = parseLsn(from);
  if (lsn !== null) return { timeline: null, segment: segmentOfLsn(lsn, segmentBytes) };
  const name = parseWalName(from);
  // The label of a backup begins with the name of the first segment it needs.
  if (name && name.kind !== 'history') {
    return { timeline: name.timeline, segment: segmentNumber(name.name, segmentBytes) };
  }
  const message = 'must be the name of a segment or a place in the log such as 0/3000028';
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--from', code: 'invalid', message }] });
}

/** Of an unfinished segment that has been finished since, nobody needs any: a kill may have left two. */
function conflicts(files: readonly StoredWal[]): FoundProblem[] {
  const whole = new Set(files.filter(({ kind }) => kind === 'segment').map(({ name }) => name));
  const needed = files.filter(({ kind, name }) => kind !== 'partial' || !whole.has(name.slice(0, 24)));
  const byName = Map.groupBy(needed, (file) => file.name);
  return [...byName].flatMap(([name, same]) =>
    new Set(same.map(({ sha256 }) => sha256)).size > 1
      ? [{ name, reason: `${same.length} files of this name are there` }]
      : [],
  );
}

/** A history that is missing or cannot be read leaves its timeline without a beginning. */
async function readBranches(
  { contents, counted }: { readonly contents: ArchiveContents; readonly counted: readonly TimelineSegments[] },
  work: Work & { readonly signal: AbortSignal },
) {
  const { archive, cluster, found, signal } = work;
  const branches = new Map<number, Branch>();
  for (const { timeline, segments } of counted.filter((item) => item.timeline > 1)) {
    const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
    const history = contents.histories.find((file) => file.timeline === timeline);
    if (!history) {
      found.damaged.push({ name, reason: 'it is missing; without it a recovery does not find this timeline' });
    } else if (archive.canRead(history)) {
      const about = { segmentBytes: cluster.segmentBytes, signal };
      const read = await judge(history, work, async () => {
        const lines = await readHistory(history, archive, about);
        if (!lines) throw new AppError('ARTIFACT_DAMAGED', { reason: 'its contents are not those of a history' });
        return lines;
      });
      for (const [child, branch] of read ?? []) branches.set(child, branch);
    } else {
      found.unchecked.push({ name, reason: 'it is encrypted, and there is no encryption_identities' });
      const guess = guessBranch(
        segments[0] ?? 0,
        counted.filter((item) => item.timeline < timeline),
      );
      if (guess) branches.set(timeline, guess);
    }
  }
  return branches;
}

function afterStart(files: readonly StoredWal[], start: LogStart | null, { segmentBytes }: Cluster): StoredWal[] {
  return files
    .filter((file) => file.kind === 'history' || segmentNumber(file.name, segmentBytes) >= (start?.segment ?? 0))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readAll(
  files: readonly StoredWal[],
  work: Work & { readonly options: VerifyWalOptions },
): Promise<void> {
  const { archive, options } = work;
  const readable = files.filter((file) => archive.canRead(file));
  if (readable.length < files.length) {
    const reason = 'encrypted, and there is no encryption_identities';
    work.found.unchecked.push({ name: `${files.length - readable.length} files`, reason });
  }
  const readOne = async (file: StoredWal) => {
    await judge(file, work, () => readThrough(file, work, options.signal));
  };
  await runInOrder(readable, readOne, { parallelism: options.parallelism, isSerial: () => false });
  work.found.damaged.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readThrough(file: StoredWal, { archive, cluster }: Work, signal: AbortSignal): Promise<true> {
  const { systemIdentifier } = cluster;
  const source = new ByteSource(archive.open(file, signal, { systemIdentifier }), signal);
  try {
    const start = Uint8Array.from((await source.takeSome(WAL_HEADER_BYTES)) ?? []);
    let sizeBytes = start.byteLength;
    for await (const chunk of source.rest()) sizeBytes += chunk.byteLength;
    if (file.kind === 'segment' || file.kind === 'partial') checkSegment(file, { start, sizeBytes });
    return true;
  } finally {
    await source.close();
  }
}

const OF_THE_FILE = ['ARTIFACT_DAMAGED', 'ARTIFACT_KEY_WRONG', 'WAL_FILE_REFUSED', 'STORAGE_NOT_FOUND'];

/** What is wrong with one file is a finding; a storage that fails ends the check. */
async function judge<T>(file: StoredWal, { found }: Work, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || !OF_THE_FILE.includes(error.code)) throw error;
    const list = error.code === 'ARTIFACT_KEY_WRONG' ? found.unchecked : found.damaged;
    list.push({ name: file.name, reason: describeError(error) });
    return null;
  }
}

function describeGap({ timeline, first, last }: Gap, { segmentBytes }: Cluster): MissingSegments {
  return {
    first: segmentName(timeline, first, segmentBytes),
    last: segmentName(timeline, last, segmentBytes),
    count: last - first + 1,
  };
}
