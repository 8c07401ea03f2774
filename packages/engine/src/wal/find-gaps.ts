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
    const branch = branches.get(timeline);
    const parent = counted.find((item) => item.timeline === branch?.parent);
    if (branch && segments.length > 0)
      gaps.push(...gapsAtBranch({ timeline, first: segments[0] ?? 0 }, branch, parent));
  }
  if (start) gaps.push(...gapsAtStart(counted, start));
  return unique(gaps).sort((a, b) => a.timeline - b.timeline || a.first - b.first);
}

function gapsWithin(timeline: number, segments: readonly number[]): Gap[] {
  return segments.flatMap((segment, index) => {
    const next = segments[index + 1];
    return next === undefined || next === segment + 1 ? [] : [{ timeline, first: segment + 1, last: next - 1 }];
  });
}

/** The parent is needed up to the branch, if it is there before it at all: a timeline may begin with a backup of its own. */
function gapsAtBranch(
  { timeline, first }: { timeline: number; first: number },
  branch: Branch,
  parent: TimelineSegments | undefined,
): Gap[] {
  const last = parent?.segments.filter((segment) => segment < branch.segment).at(-1);
  if (last === undefined) return [];
  const gaps: Gap[] = [];
  if (last < branch.segment - 1) gaps.push({ timeline: branch.parent, first: last + 1, last: branch.segment - 1 });
  if (first > branch.segment) gaps.push({ timeline, first: branch.segment, last: first - 1 });
  return gaps;
}

function gapsAtStart(counted: readonly TimelineSegments[], start: LogStart): Gap[] {
  const candidates = counted.filter((item) => start.timeline === null || item.timeline === start.timeline);
  if (candidates.some(({ segments }) => segments[0] === start.segment)) return [];
  const timeline = start.timeline ?? candidates[0]?.timeline ?? 1;
  const first = counted.find((item) => item.timeline === timeline)?.segments[0];
  return [{ timeline, first: start.segment, last: (first ?? start.segment + 1) - 1 }];
}

/** The parent of two timelines may lack the same segments. */
function unique(gaps: readonly Gap[]): Gap[] {
  return [...new Map(gaps.map((gap) => [`${gap.timeline} ${gap.first} ${gap.last}`, gap])).values()];
}
