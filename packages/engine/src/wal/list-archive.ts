/** The contents of an archive for people and programs. */

import { type NumberedWal, sortContents } from './archive-contents.ts';
import type { Cluster, StoredWal } from './archive-keys.ts';
import { findGaps } from './find-gaps.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';

export interface TimelineSummary {
  readonly timeline: number;
  readonly first: string;
  readonly last: string;
  readonly segments: number;
  /** Between first and last. */
  readonly missing: number;
  /** As they are stored. */
  readonly sizeBytes: number;
  readonly firstStoredAt: string | null;
  readonly lastStoredAt: string | null;
}

export interface FileSummary {
  readonly name: string;
  readonly sizeBytes: number;
  readonly storedAt: string | null;
}

export interface ArchiveSummary extends Cluster {
  readonly timelines: readonly TimelineSummary[];
  readonly histories: readonly FileSummary[];
  /** Labels of base backups, oldest first; each name begins with the first segment that backup needs. */
  readonly backups: readonly FileSummary[];
  readonly partials: readonly FileSummary[];
}

/** Throws WAL_ARCHIVE_MISSING, WAL_OTHER_CLUSTER, and what the storage throws. */
export async function listArchive(archive: WalArchiveStore, signal: AbortSignal): Promise<ArchiveSummary> {
  const cluster = await archive.cluster(signal);
  const contents = sortContents(await archive.list(signal), cluster.segmentBytes);
  return {
    ...cluster,
    timelines: contents.timelines.map(({ timeline, segments }) => summarize(timeline, segments)),
    histories: contents.histories.map(summarizeFile),
    backups: contents.backups.map(summarizeFile),
    partials: contents.partials.map(summarizeFile),
  };
}

function summarize(timeline: number, stored: readonly NumberedWal[]): TimelineSummary {
  const segments = [...new Set(stored.map((file) => file.segment))];
  const gaps = findGaps([{ timeline, segments }], new Map(), null);
  return {
    timeline,
    first: stored[0]?.name ?? '',
    last: stored.at(-1)?.name ?? '',
    segments: segments.length,
    missing: gaps.reduce((sum, gap) => sum + gap.last - gap.first + 1, 0),
    sizeBytes: stored.reduce((sum, file) => sum + file.sizeBytes, 0),
    firstStoredAt: timeText(stored[0]),
    lastStoredAt: timeText(stored.at(-1)),
  };
}

function summarizeFile(file: StoredWal): FileSummary {
  return { name: file.name, sizeBytes: file.sizeBytes, storedAt: timeText(file) };
}

function timeText(file: StoredWal | undefined): string | null {
  return file?.storedAt?.toISOString() ?? null;
}
