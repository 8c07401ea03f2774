/**
 * Which snapshots a policy keeps; restic's rules (internal/data/snapshot_policy.go), so that a user may change between
 * the two programs. Groups by host and paths. Within a group the newest snapshot of each hour, day … is kept, counted
 * from the newest back; hours and days are those of the offset in which the snapshot's time was written. While a
 * counter is not used up the oldest snapshot stays too.
 *
 * Like current releases of restic it never empties a group: when nothing in it matches, all of it is kept.
 */
import { AppError } from '@backupx/contracts/errors';
import type { KeepPolicy } from '@backupx/contracts/jobs';
import { parseGoTime } from '../format/go-time.ts';

/** What the rules look at. */
export interface DatedSnapshot {
  readonly id: string;
  /** RFC 3339 with any offset. */
  readonly time: string;
  readonly hostname: string;
  readonly paths: readonly string[];
  readonly tags: readonly string[];
}

export interface KeptSnapshot<S> {
  readonly snapshot: S;
  /** restic's words, e.g. `daily snapshot`, `oldest weekly snapshot`, `within 24h`. Never empty. */
  readonly reasons: readonly string[];
}

export interface KeepDecision<S> {
  readonly kept: readonly KeptSnapshot<S>[];
  readonly removed: readonly S[];
}

export interface KeepOptions {
  /** Snapshots from the future do not count as the newest for `withinHours`. */
  readonly now: Date;
  /** Kept whatever the policy says; they use up its counters like any other. */
  readonly lockedIds?: ReadonlySet<string>;
}

const NS_PER_HOUR = 3_600_000_000_000n;
const DAY_MS = 86_400_000;
/** Go's zero time: what restic takes for the newest when all snapshots are from the future. */
const ZERO_TIME_NS = parseGoTime('0001-01-01T00:00:00Z');

/** Decides about every snapshot; each comes out once, newest first within its group. Throws INVALID_INPUT for a policy that keeps nothing. */
export function applyKeepPolicy<S extends DatedSnapshot>(
  snapshots: readonly S[],
  policy: KeepPolicy,
  options: KeepOptions,
): KeepDecision<S> {
  if (isEmpty(policy)) {
    throw new AppError(
      'INVALID_INPUT',
      {},
      {
        fields: [
          { path: 'policy', code: 'empty', message: 'A policy that keeps nothing would remove every snapshot.' },
        ],
      },
    );
  }
  const kept: KeptSnapshot<S>[] = [];
  const removed: S[] = [];
  for (const group of groupSnapshots(snapshots)) {
    const reasons = group.map((): string[] => []);
    collectReasons(group, policy, { now: options.now, reasons });
    const isEmptied = reasons.every((list) => list.length === 0);
    for (const [at, { snapshot }] of group.entries()) {
      const list = isEmptied ? ['the policy matches no snapshot of this host and paths'] : (reasons[at] ?? []);
      if (options.lockedIds?.has(snapshot.id)) list.push('locked');
      if (list.length > 0) kept.push({ snapshot, reasons: list });
      else removed.push(snapshot);
    }
  }
  return { kept, removed };
}

function isEmpty({ last, hourly, daily, weekly, monthly, yearly, withinHours, tags }: KeepPolicy): boolean {
  return last + hourly + daily + weekly + monthly + yearly + withinHours + tags.length === 0;
}

interface Member<S> {
  readonly snapshot: S;
  readonly atNs: bigint;
  /** The clock on the wall where it was made, as if that were UTC. */
  readonly wall: Date;
}

function groupSnapshots<S extends DatedSnapshot>(snapshots: readonly S[]): Member<S>[][] {
  const groups = new Map<string, Member<S>[]>();
  for (const snapshot of snapshots) {
    const key = JSON.stringify([snapshot.hostname, [...snapshot.paths].sort()]);
    const member = { snapshot, atNs: parseGoTime(snapshot.time), wall: wallClock(snapshot.time) };
    const group = groups.get(key);
    if (group) group.push(member);
    else groups.set(key, [member]);
  }
  for (const group of groups.values()) group.sort(newestFirst);
  return [...groups.values()];
}

function newestFirst<S extends DatedSnapshot>(a: Member<S>, b: Member<S>): number {
  if (a.atNs !== b.atNs) return a.atNs > b.atNs ? -1 : 1;
  return a.snapshot.id < b.snapshot.id ? -1 : 1;
}

function wallClock(time: string): Date {
  return new Date(`${time.slice(0, 19)}Z`);
}

interface Counter {
  left: number;
  last: number;
  readonly reason: string;
  readonly bucketOf: (wall: Date, position: number) => number;
}

const month = (wall: Date) => wall.getUTCFullYear() * 100 + wall.getUTCMonth();
const day = (wall: Date) => month(wall) * 100 + wall.getUTCDate();

function countersOf(policy: KeepPolicy): Counter[] {
  const counter = (left: number, reason: string, bucketOf: Counter['bucketOf']): Counter => ({
    left,
    last: Number.NaN,
    reason: `${reason} snapshot`,
    bucketOf,
  });
  return [
    counter(policy.last, 'last', (_wall, position) => position),
    counter(policy.hourly, 'hourly', (wall) => day(wall) * 100 + wall.getUTCHours()),
    counter(policy.daily, 'daily', day),
    counter(policy.weekly, 'weekly', isoWeek),
    counter(policy.monthly, 'monthly', month),
    counter(policy.yearly, 'yearly', (wall) => wall.getUTCFullYear()),
  ].filter(({ left }) => left > 0);
}

/** Year and number of the ISO 8601 week: the year is the one that its Thursday lies in. */
function isoWeek(wall: Date): number {
  const thursday = new Date(wall.getTime() + (4 - (wall.getUTCDay() || 7)) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const dayOfYear = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS);
  return year * 100 + Math.floor(dayOfYear / 7) + 1;
}

function collectReasons<S extends DatedSnapshot>(
  group: readonly Member<S>[],
  policy: KeepPolicy,
  { now, reasons }: { readonly now: Date; readonly reasons: readonly string[][] },
): void {
  const tagLists = policy.tags.map((text) => text.split(','));
  const counters = countersOf(policy);
  const withinNs = BigInt(policy.withinHours) * NS_PER_HOUR;
  const since = newestBefore(group, now) - withinNs;
  for (const [position, { snapshot, atNs, wall }] of group.entries()) {
    const list = reasons[position] ?? [];
    for (const tags of tagLists) if (hasTags(snapshot, tags)) list.push(`has tags [${tags.join(', ')}]`);
    if (withinNs > 0n && atNs > since) list.push(`within ${policy.withinHours}h`);
    const isOldest = position === group.length - 1;
    for (const counter of counters) {
      const reason = takeBucket(counter, counter.bucketOf(wall, position), isOldest);
      if (reason !== null) list.push(reason);
    }
  }
}

function takeBucket(counter: Counter, bucket: number, isOldest: boolean): string | null {
  if (counter.left === 0) return null;
  const isSame = bucket === counter.last;
  if (isSame && !isOldest) return null;
  counter.last = bucket;
  counter.left -= 1;
  return isSame ? `oldest ${counter.reason}` : counter.reason;
}

function newestBefore<S extends DatedSnapshot>(group: readonly Member<S>[], now: Date): bigint {
  const nowNs = BigInt(now.getTime()) * 1_000_000n;
  return group.find(({ atNs }) => atNs < nowNs)?.atNs ?? ZERO_TIME_NS;
}

/** As in restic an empty tag stands for snapshots without tags. */
function hasTags(snapshot: DatedSnapshot, tags: readonly string[]): boolean {
  for (const tag of tags) {
    if (tag === '' && snapshot.tags.length === 0) return true;
    if (!snapshot.tags.includes(tag)) return false;
  }
  return true;
}
