/** What is missing in a log: between its segments, and where one timeline goes on from another. */

export interface TimelineSegments {
  readonly timeline: number;
  /** Rising, without repetitions. */
  readonly segments: readonly number[];
}

/** From where a timeline goes on: the segment in which it branched off is the first of its own. */
export interface Branch {
  readonly parent: number;
  readonly segment: number;
}

/** Segments that should be there, both ends included. */
export interface Gap {
  readonly timeline: number;
  readonly first: number;
  readonly last: number;
}

/** Where a recovery begins. A null timeline: whichever holds that segment. */
export interface LogStart {
  readonly timeline: number | null;
  readonly segment: number;
}

/** `branches`: of each timeline but the first, as far as known. Null `start`: everything there is counts. */
export function findGaps(
  timelines: readonly TimelineSegments[],
  branches: ReadonlyMap<number, Branch>,
  start: LogStart | null,
): Gap[] {
  const counted = timelines.map(({ timeline, segments }) => ({
    timeline,
    segments: segments.filter((segment) => segment >= (start?.segment ?? 0)),
  }));
  const gaps = counted.flatMap(({ timeline, segments }) => gapsWithin(timeline, segments));
  for (const { timeline, segments } of counted) {
    const [first] = segments;
    if (first !== undefined) gaps.push(...gapsAtBranch({ timeline, first }, branches, counted));
  }
  if (start) gaps.push(...gapsAtStart(counted, start));
  return mergeGaps(gaps);
}

function gapsWithin(timeline: number, segments: readonly number[]): Gap[] {
  return segments.flatMap((segment, index) => {
    const next = segments[index + 1];
    return next === undefined || next === segment + 1 ? [] : [{ timeline, first: segment + 1, last: next - 1 }];
  });
}

/**
 * The parent is needed up to the branch, if there is anything before it at all: a timeline may begin with a backup of its
 * own. Of a parent that has nothing everything may be lost, so its own parent counts, too.
 */
function gapsAtBranch(
  { timeline, first }: { timeline: number; first: number },
  branches: ReadonlyMap<number, Branch>,
  counted: readonly TimelineSegments[],
): Gap[] {
  const branch = branches.get(timeline);
  if (!branch || branch.parent >= timeline) return [];
  const { parent, segment } = branch;
  const segments = counted.find((item) => item.timeline === parent)?.segments ?? [];
  const last = segments.filter((item) => item < segment).at(-1);
  const own = first > segment ? [{ timeline, first: segment, last: first - 1 }] : [];
  if (last !== undefined) {
    return last < segment - 1 ? [{ timeline: parent, first: last + 1, last: segment - 1 }, ...own] : own;
  }
  return hasBefore(parent, branches, counted)
    ? [...gapsAtBranch({ timeline: parent, first: segment }, branches, counted), ...own]
    : [];
}

/** Whether anything is there of what a timeline went on from. */
function hasBefore(
  timeline: number,
  branches: ReadonlyMap<number, Branch>,
  counted: readonly TimelineSegments[],
): boolean {
  const branch = branches.get(timeline);
  if (!branch || branch.parent >= timeline) return false;
  const segments = counted.find((item) => item.timeline === branch.parent)?.segments ?? [];
  return segments.some((item) => item < branch.segment) || hasBefore(branch.parent, branches, counted);
}

function gapsAtStart(counted: readonly TimelineSegments[], start: LogStart): Gap[] {
  const candidates = counted.filter((item) => start.timeline === null || item.timeline === start.timeline);
  if (candidates.some(({ segments }) => segments[0] === start.segment)) return [];
  const timeline = start.timeline ?? candidates[0]?.timeline ?? 1;
  const first = counted.find((item) => item.timeline === timeline)?.segments[0];
  return [{ timeline, first: start.segment, last: (first ?? start.segment + 1) - 1 }];
}

/** A base backup whose label is there needs the log from its place on, also when that is the very beginning that is lost. */
export function gapsAtBackups(
  timelines: readonly TimelineSegments[],
  backups: readonly { readonly timeline: number; readonly segment: number }[],
): Gap[] {
  return backups.flatMap(({ timeline, segment }) => {
    const segments = timelines.find((item) => item.timeline === timeline)?.segments ?? [];
    if (segments.includes(segment)) return [];
    const next = segments.find((item) => item > segment) ?? segment + 1;
    return [{ timeline, first: segment, last: next - 1 }];
  });
}

/** What a history that cannot be read would say: a timeline begins with the segment in which it branched off. */
export function guessBranch(segment: number, older: readonly TimelineSegments[]): Branch | null {
  const parents = older.filter((item) => (item.segments[0] ?? segment) < segment);
  const parent = parents.findLast((item) => item.segments.includes(segment - 1)) ?? parents.at(-1);
  return parent ? { parent: parent.timeline, segment } : null;
}

/** In order, each segment once. */
export function mergeGaps(gaps: readonly Gap[]): Gap[] {
  const merged: Gap[] = [];
  for (const gap of gaps.toSorted((a, b) => a.timeline - b.timeline || a.first - b.first)) {
    const before = merged.at(-1);
    if (before?.timeline !== gap.timeline || before.last < gap.first) merged.push(gap);
    else merged.splice(-1, 1, { ...before, last: Math.max(before.last, gap.last) });
  }
  return merged;
}
