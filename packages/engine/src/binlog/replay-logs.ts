/**
 * Replays archived logs into a server, from the place a backup has noted until a moment or a place. All logs it takes are
 * proven before the first statement is sent; then each is fetched, turned into statements by the program of the server
 * and handed to one client, which stops at the first error.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { writeWholeFile } from '../direct-storage/write-whole-file.ts';
import { describeEnd, drain, isSuccess, outputOf, type ToolProcess } from '../ports/processes.ts';
import { SecretFolder } from '../ports/secret-folder.ts';
import { MysqlConnection, type Tool } from '../sources/mysql/connection.ts';
import type { ConnectionConfig } from '../sources/mysql/settings.ts';
import { toolError } from '../sources/mysql/tool-error.ts';
import { nameWith, numberOf, parseBinlogName } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { findBreak } from './find-break.ts';
import { describeGap, findLogGaps } from './find-log-gaps.ts';
import { assertSamePlace, findPlace, type LogPlace } from './find-place.ts';
import { assertForwards, isReached, ReplayJudge } from './judge-replay.ts';
import { timeText } from './log-time.ts';
import { checkLog } from './verify-logs.ts';

export interface ReplayOptions {
  readonly store: BinlogStore;
  readonly target: ConnectionConfig;
  readonly tempDir: string;
  readonly from: LogPlace;
  /** What begins then or later is left out; a null is no limit. */
  readonly untilTime: Date | null;
  readonly untilPlace: LogPlace | null;
  /** Only changes of this database, by its name in the log; null: all. */
  readonly database: string | null;
  /** `old->new` */
  readonly rewrites: readonly string[];
  /** Only tells, after everything was looked at. */
  readonly isDryRun: boolean;
  /** Replays all there is although the archive ends before `untilTime`. */
  readonly isEndAccepted: boolean;
  readonly signal: AbortSignal;
  log(message: string): void;
}

/** What is replayed of one log. */
export interface ReplayRange {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly isPartial: boolean;
}

export interface ReplayResult {
  readonly ranges: readonly ReplayRange[];
  readonly isDone: boolean;
  /** The time of the last event of the archive, when that is before the moment that was asked for. */
  readonly endsEarlyAt: string | null;
}

/** Throws INVALID_INPUT, BINLOG_*, ARTIFACT_*, DATABASE_*, CANCELLED; before a statement is sent, but for DATABASE_*. */
export async function replayLogs(options: ReplayOptions): Promise<ReplayResult> {
  const { isDryRun, log } = options;
  assertForwards(options);
  const { logs, endsEarlyAt } = await readLogs(options);
  const ranges = logs.map((item) => rangeOf(item, options));
  if (isDryRun) return { ranges, isDone: false, endsEarlyAt };
  log(`${logs.length} logs are whole. Replaying.`);
  const connection = await MysqlConnection.open(options.target, options);
  try {
    const reader = await connection.findBinlogReader();
    await sendAll(options, { connection, reader, logs });
  } finally {
    connection.close();
  }
  return { ranges, isDone: true, endsEarlyAt };
}

interface Chosen {
  readonly logs: readonly StoredBinlog[];
  readonly endsEarlyAt: string | null;
}

/** Proves the logs that are needed, one after the other, until the end was found in one of them. */
async function readLogs(options: ReplayOptions): Promise<Chosen> {
  const { store, signal, from, untilTime, untilPlace } = options;
  const all = await store.all(signal);
  const first = findPlace(from, all);
  const end = untilPlace ? numberOf(untilPlace.file) : Number.POSITIVE_INFINITY;
  const inRange = all.filter(({ name }) => numberOf(name) >= numberOf(from.file) && numberOf(name) <= end);
  const judge = new ReplayJudge(options, inRange);
  const logs: StoredBinlog[] = [];
  let previous: StoredBinlog | null = null;
  for (const item of inRange) {
    // The moment a log begins is later than all that is in those before it; what a replica repeats may still be earlier.
    const beginsLate = previous !== null && isReached(item.firstAt, untilTime);
    if (beginsLate && !judge.isReplica) break;
    if (previous) assertFollows(previous, item);
    const isNeeded = !beginsLate && !judge.isOver;
    const onPosition = (gtids: readonly string[]) => assertSamePlace(from, gtids);
    const start = item === first ? { mustHavePosition: from.position, onPosition } : {};
    await checkLog(store, item, { signal, ...start, onEvent: (event) => judge.add(item, event) });
    if (isNeeded) logs.push(item);
    previous = item;
    // What follows may be earlier, by a clock that was set back, but must not come without the rest of this log.
    if (judge.isDecided) break;
  }
  judge.assertReplayable();
  return { logs, endsEarlyAt: judgeEnd(logs, all, { ...options, judge }) };
}

/** Throws BINLOG_GAP. */
function assertNoGap(previous: StoredBinlog, next: StoredBinlog): void {
  const [gap] = findLogGaps([previous, next]);
  if (gap) throw new AppError('BINLOG_GAP', { logs: describeGap(gap) });
}

/** Throws BINLOG_GAP, BINLOG_CONFLICT. */
function assertFollows(previous: StoredBinlog, next: StoredBinlog): void {
  assertNoGap(previous, next);
  const reason = findBreak(previous, next);
  if (reason) throw new AppError('BINLOG_CONFLICT', { reason });
}

const holds = (log: StoredBinlog, place: LogPlace | null): boolean =>
  place !== null && log.name === place.file && log.sizeBytes >= place.position;

/** The archive must reach to the end that is asked for, or what comes before it would be missing without a word. */
function judgeEnd(
  chosen: readonly StoredBinlog[],
  all: readonly StoredBinlog[],
  { untilTime, untilPlace, isEndAccepted, judge }: ReplayOptions & { readonly judge: ReplayJudge },
): string | null {
  const last = chosen.at(-1);
  // What is missing behind the end is not needed.
  if (!last || judge.isDecided || holds(last, untilPlace)) return null;
  // What was left out because it begins later must follow straight on.
  const next = all.find(({ name }) => numberOf(name) > numberOf(last.name));
  if (next && !judge.isOver) assertNoGap(last, next);
  const isCutByTime = judge.isOver || (next !== undefined && isReached(next.firstAt, untilTime));
  if (untilPlace && !isCutByTime) {
    const first = last.name === untilPlace.file ? last.name : nameWith(last.name, numberOf(last.name) + 1);
    throw new AppError('BINLOG_GAP', { logs: describeGap({ first, last: untilPlace.file }) });
  }
  if (!untilTime || untilPlace || (next && !judge.isReplica)) return null;
  const [end, until] = [timeText(judge.isReplica ? judge.lastReplicatedAt : last.lastAt), untilTime.toISOString()];
  if (!isEndAccepted) throw new AppError('BINLOG_END_EARLY', { end, until });
  return end;
}

function rangeOf(log: StoredBinlog, { from, untilPlace }: ReplayOptions): ReplayRange {
  return {
    name: log.name,
    from: log.name === from.file ? from.position : 4,
    to: untilPlace?.file === log.name ? untilPlace.position : log.sizeBytes,
    firstAt: timeText(log.firstAt),
    lastAt: timeText(log.lastAt),
    isPartial: log.isPartial,
  };
}

interface Sending {
  readonly connection: MysqlConnection;
  readonly reader: Tool;
  readonly logs: readonly StoredBinlog[];
}

/** One client for all of them, since temporary tables and settings of sessions reach over the end of a log. */
async function sendAll(options: ReplayOptions, { connection, reader, logs }: Sending): Promise<void> {
  const folder = new SecretFolder(options.tempDir);
  const client = connection.startClient();
  const printed = drain(client.output);
  try {
    for (const log of logs) {
      const file = join(folder.path, log.name);
      await writeWholeFile(file, options.store.open(log, options.signal), `${file}.part`);
      const args = readerArgs(log, file, { ...options, reader });
      const running = connection.startWith(reader, args, { env: { TZ: 'UTC' } });
      running.endInput();
      const failure = (end: Parameters<typeof toolError>[0]) =>
        new AppError('DATABASE_TOOL_FAILED', { tool: reader.name, reason: describeEnd(end) });
      for await (const chunk of outputOf(running, { signal: options.signal, failure })) {
        if (!(await client.write(chunk))) throw await clientError(client, log.name, options.target);
      }
      rmSync(file);
      options.log(`${log.name} is sent.`);
    }
    client.endInput();
    const end = await client.ended;
    await printed;
    if (options.signal.aborted) throw new AppError('CANCELLED');
    if (!isSuccess(end)) throw await clientError(client, logs.at(-1)?.name ?? '', options.target);
  } catch (error) {
    client.kill();
    await client.ended;
    throw options.signal.aborted ? new AppError('CANCELLED') : error;
  } finally {
    folder.remove();
  }
}

async function clientError(client: ToolProcess, name: string, config: ConnectionConfig): Promise<AppError> {
  client.endInput();
  return toolError(await client.ended, { tool: 'the client', doing: `replay ${name}`, config });
}

function readerArgs(log: StoredBinlog, file: string, options: ReplayOptions & { readonly reader: Tool }): string[] {
  const { from, untilTime, untilPlace, database, rewrites, reader } = options;
  const args: string[] = ['--verify-binlog-checksum'];
  if (log.name === from.file) args.push(`--start-position=${from.position}`);
  if (untilPlace?.file === log.name) args.push(`--stop-position=${untilPlace.position}`);
  // In UTC, see the environment it gets.
  if (untilTime) args.push(`--stop-datetime=${untilTime.toISOString().slice(0, 19).replace('T', ' ')}`);
  // The program of MySQL picks after it has renamed, that of MariaDB before.
  const isPickedLate = reader.flavour === 'mysql';
  if (database !== null) args.push(`--database=${isPickedLate ? nameAfter(database, rewrites) : database}`);
  args.push(...rewrites.map((rewrite) => `--rewrite-db=${rewrite}`));
  return [...args, file];
}

function nameAfter(database: string, rewrites: readonly string[]): string {
  const rewrite = rewrites.find((text) => text.startsWith(`${database}->`));
  return rewrite?.slice(database.length + 2) ?? database;
}

/** `bin.000041:328`. Null when it is none. */
export function parsePlace(text: string): LogPlace | null {
  const [, file = '', position = ''] = /^(.+):(\d+)$/.exec(text) ?? [];
  return parseBinlogName(file) ? { file, position: Number(position) } : null;
}
