/** What the events that would be replayed say against it, found while their logs are proven. */
import { AppError } from '@backupx/contracts/errors';
import { numberOf } from './binlog-names.ts';
import type { StoredBinlog } from './binlog-store.ts';
import { timeText } from './log-time.ts';
import type { BinlogEvent } from './read-binlog.ts';
import { namesDatabase, readStatement } from './read-statement.ts';
import type { ReplayOptions } from './replay-logs.ts';

type Range = Pick<ReplayOptions, 'from' | 'untilTime' | 'untilPlace' | 'database' | 'rewrites'>;

const SHOWN_PLACES = 10;
/** The place of the event that describes a log. */
const FIRST_EVENT = 4;

/** Whether the program that reads a log stops at an event of that time; it counts whole seconds. */
export function isReached(time: number, untilTime: Date | null): boolean {
  return untilTime !== null && time >= Math.floor(untilTime.getTime() / 1000);
}

/** See above. `add` gets every event of every log, in order. */
export class ReplayJudge {
  readonly #range: Range;
  readonly #renamed: readonly string[];
  readonly #places: string[] = [];
  /** Of the last event before the start, and of the first behind it. */
  #before = 0;
  /** When the log was begun in which the start lies. */
  #begun = 0;
  #first: number | null = null;
  /** The program that reads stops here. */
  #isOver = false;
  /** Changes come from another server: a replica repeats them with the times they had there. */
  #isReplica: boolean;
  #lastReplicatedAt = 0;
  /** One of those is not before the end either. */
  #isDecided = false;
  /** The first of those that is, and comes behind where the program stops. */
  #leftOut: string | null = null;

  /** `logs`: from that of the start on. */
  constructor(range: Range, logs: readonly StoredBinlog[]) {
    this.#range = range;
    // A replica that had nothing to do may have passed the end by its own clock before it repeats what was earlier.
    const first = logs.find(({ transactions }) => transactions > 0);
    this.#isReplica = first !== undefined && repeatsOthers(first);
    this.#renamed = range.rewrites.map((rewrite) => rewrite.split('->')[0] ?? '');
  }

  add(log: StoredBinlog, event: BinlogEvent): void {
    const { from, untilTime, untilPlace } = this.#range;
    const isReplicated = event.serverId !== log.serverId;
    this.#isReplica ||= isReplicated;
    if (isReplicated) this.#lastReplicatedAt = Math.max(this.#lastReplicatedAt, event.time);
    if (log.name === from.file && event.at === FIRST_EVENT) this.#begun = event.time;
    if (log.name === from.file && event.at < from.position) {
      this.#before = Math.max(this.#before, event.time);
      return;
    }
    this.#first ??= event.time;
    const isLate = isReached(event.time, untilTime);
    if (isReplicated && isLate) this.#isDecided = true;
    const isBehind = untilPlace !== null && log.name === untilPlace.file && event.at >= untilPlace.position;
    const isLeftOut = isReplicated && !isLate && this.#isOver && !this.#isDecided && !isBehind;
    if (isLeftOut) this.#leftOut ??= `${log.name}:${event.at}`;
    this.#isOver ||= isLate;
    if (this.#isOver || isBehind || this.#renamed.length === 0) return;
    if (this.#namesRenamed(event)) this.#places.push(`${log.name}:${event.at}`);
  }

  /** An event was added at which the program that reads stops. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether nothing that follows can be before the end. The clock of a replica says nothing about what it repeats. */
  get isDecided(): boolean {
    return this.#isOver && (this.#isDecided || !this.#isReplica);
  }

  get isReplica(): boolean {
    return this.#isReplica;
  }

  get lastReplicatedAt(): number {
    return this.#lastReplicatedAt;
  }

  /** Throws INVALID_INPUT, BINLOG_REWRITE_IMPOSSIBLE. */
  assertReplayable(): void {
    const { untilTime } = this.#range;
    if (this.#leftOut !== null) {
      const message = `cannot be found by times: the logs are of a replica that lagged, and ${this.#leftOut} would be left out; take --until-position`;
      throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--until', code: 'invalid', message }] });
    }
    // The program stops at the description, too, wherever it is to start: on a replica that lags, or by a clock that was
    // set back, what follows may be earlier, and none of it would be sent.
    const begin = Math.max(this.#first ?? this.#before, this.#begun);
    if (isReached(begin, untilTime)) {
      const message = `is not after what the replay begins with, of ${timeText(begin)}: take an older backup`;
      throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--until', code: 'invalid', message }] });
    }
    if (this.#places.length === 0) return;
    const more = this.#places.length > SHOWN_PLACES ? ` and ${this.#places.length - SHOWN_PLACES} more` : '';
    const places = `${this.#places.slice(0, SHOWN_PLACES).join(', ')}${more}`;
    throw new AppError('BINLOG_REWRITE_IMPOSSIBLE', { databases: this.#renamed.join(', '), places });
  }

  #namesRenamed(event: BinlogEvent): boolean {
    const statement = readStatement(event);
    if (statement === null) return false;
    if (statement === 'unknown') return true;
    // What ran in another database is not picked.
    const { database } = this.#range;
    if (database !== null && statement.database !== database) return false;
    return this.#renamed.some((name) => namesDatabase(statement.text, name));
  }
}

/** By its note. In one of an earlier version only GTIDs of MariaDB tell on which server a transaction was made. */
function repeatsOthers({ serverId, repeated, gtids, startGtids }: StoredBinlog): boolean {
  if (repeated !== undefined) return repeated > 0;
  return gtids.some((gtid) => {
    const [, server] = /^\d+-(\d+)-\d+$/.exec(gtid) ?? [];
    return server !== undefined && server !== String(serverId) && !startGtids.includes(gtid);
  });
}

/** Places of a range must be in the order of the log. Throws INVALID_INPUT. */
export function assertForwards({ from, untilPlace }: Pick<Range, 'from' | 'untilPlace'>): void {
  if (!untilPlace) return;
  const logs = numberOf(untilPlace.file) - numberOf(from.file);
  if (logs > 0 || (logs === 0 && untilPlace.position > from.position)) return;
  const message = `is not behind ${from.file}:${from.position}, where the replay begins`;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--until-position', code: 'invalid', message }] });
}
