/** What an archive holds, put in order. Read from the names of its objects alone. */
import type { StoredWal } from './archive-keys.ts';
import { segmentNumber, type WalKind } from './wal-names.ts';

export interface TimelineContents {
  readonly timeline: number;
  /** By place in the log; two of one place are a conflict. */
  readonly segments: readonly NumberedWal[];
}

export interface NumberedWal extends StoredWal {
  readonly segment: number;
}

export interface ArchiveContents {
  readonly timelines: readonly TimelineContents[];
  readonly histories: readonly StoredWal[];
  /** Labels of base backups, oldest first. */
  readonly backups: readonly NumberedWal[];
  readonly partials: readonly NumberedWal[];
}

export function sortContents(files: readonly StoredWal[], segmentBytes: number): ArchiveContents {
  const of = (kind: WalKind) => files.filter((file) => file.kind === kind);
  const numbered = (kind: WalKind): NumberedWal[] =>
    of(kind)
      .map((file) => ({ ...file, segment: segmentNumber(file.name, segmentBytes) }))
      .sort((a, b) => a.segment - b.segment || a.timeline - b.timeline);
  const byTimeline = Map.groupBy(numbered('segment'), (file) => file.timeline);
  const timelines = [...byTimeline].map(([timeline, segments]) => ({ timeline, segments }));
  return {
    timelines: timelines.sort((a, b) => a.timeline - b.timeline),
    histories: of('history').sort((a, b) => a.timeline - b.timeline),
    // By name, which is timeline and place: the times of a storage that was copied say nothing.
    backups: numbered('backup').sort((a, b) => (a.name < b.name ? -1 : 1)),
    partials: numbered('partial'),
  };
}
