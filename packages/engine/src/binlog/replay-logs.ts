/**
 * Replays archived logs into a server, from the place a backup has noted until a moment or a place. All logs it takes are
 * proven before the first statement is sent; then each is fetched, turned into statements by the program of the server
 * and handed to one client, which stops at the first error.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { writeWholeFile } from '../direct-storage/write-whole-file.ts';
import { describeEnd, isSuccess, outputOf, type ToolProcess } from '../ports/processes.ts';
import { SecretFolder } from '../ports/secret-folder.ts';
import { MysqlConnection, type Tool } from '../sources/mysql/connection.ts';
import type { ConnectionConfig } from '../sources/mysql/settings.ts';
import { toolError } from '../sources/mysql/tool-error.ts';
import { nameWith, numberOf, parseBinlogName } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { describeGap, findLogGaps } from './find-log-gaps.ts';
import { timeText } from './list-logs.ts';
import { checkLog } from './verify-logs.ts';

/** A place in the logs. */
export interface LogPlace {
  readonly file: string;
  readonly position: number;
}

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
  readonly isDryRun: boolean;
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
}

/** Throws BINLOG_START_MISSING, BINLOG_GAP, BINLOG_DAMAGED, ARTIFACT_*, DATABASE_*, CANCELLED. */
export async function replayLogs(options: ReplayOptions): Promise<ReplayResult> {
  const { store, signal, from, isDryRun, log } = options;
  const logs = await chooseLogs(options);
  const ranges = logs.map((item) => rangeOf(item, options));
  if (isDryRun) return { ranges, isDone: false };
  for (const item of logs) {
    await checkLog(store, item, { signal, ...(item.name === from.file ? { mustHavePosition: from.position } : {}) });
  }
  log(`${logs.length} logs are whole. Replaying.`);
  const connection = await MysqlConnection.open(options.target, options);
  try {
    const reader = await connection.findBinlogReader();
    await sendAll(options, { connection, reader, logs });
  } finally {
    connection.close();
  }
  return { ranges, isDone: true };
}

async function chooseLogs({ store, signal, from, untilTime, untilPlace }: ReplayOptions): Promise<StoredBinlog[]> {
  const all = await store.all(signal);
  const first = all.find(({ name }) => name === from.file);
  if (!first || from.position > first.sizeBytes) {
    const has = all.length === 0 ? 'nothing' : `${all[0]?.name} to ${all.at(-1)?.name}`;
    throw new AppError('BINLOG_START_MISSING', { place: `${from.file}:${from.position}`, has });
  }
  const chosen: StoredBinlog[] = [];
  for (const item of all.filter(({ name }) => numberOf(name) >= numberOf(from.file))) {
    if (untilPlace && numberOf(item.name) > numberOf(untilPlace.file)) break;
    // The moment a log begins is later than all that is in those before it.
    if (isReached(item.firstAt, untilTime) && item !== first) break;
    chosen.push(item);
    // What follows may be earlier, by a clock that was set back, but must not come without the rest of this log.
    if (isReached(item.lastAt, untilTime)) break;
  }
  const [gap] = findLogGaps(chosen);
  if (gap) throw new AppError('BINLOG_GAP', { logs: describeGap(gap) });
  assertEndIsThere(chosen, all, { untilTime, untilPlace });
  return chosen;
}

/** Whether the program that reads a log stops at an event of that time; it counts whole seconds. */
function isReached(time: number, untilTime: Date | null): boolean {
  return untilTime !== null && time >= Math.floor(untilTime.getTime() / 1000);
}

/** The archive must reach to the end that is asked for, or what comes before it would be missing without a word. */
function assertEndIsThere(
  chosen: readonly StoredBinlog[],
  all: readonly StoredBinlog[],
  { untilTime, untilPlace }: Pick<ReplayOptions, 'untilTime' | 'untilPlace'>,
): void {
  const last = chosen.at(-1);
  if (!last || isReached(last.lastAt, untilTime)) return;
  // What was left out because it begins later must follow straight on.
  const next = all.find(({ name }) => numberOf(name) > numberOf(last.name));
  const [gap] = next ? findLogGaps([last, next]) : [];
  if (gap) throw new AppError('BINLOG_GAP', { logs: describeGap(gap) });
  if (!untilPlace) return;
  if (last.name !== untilPlace.file || last.sizeBytes < untilPlace.position) {
    const first = last.name === untilPlace.file ? last.name : nameWith(last.name, numberOf(last.name) + 1);
    throw new AppError('BINLOG_GAP', { logs: describeGap({ first, last: untilPlace.file }) });
  }
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
  const printed = drain(client);
  try {
    for (const log of logs) {
      const file = join(folder.path, log.name);
      await writeWholeFile(file, options.store.open(log, options.signal), `${file}.part`);
      const running = connection.startWith(reader, readerArgs(log, file, { ...options, reader }), { TZ: 'UTC' });
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

/** Statements of a log answer nothing that matters. */
async function drain({ output }: ToolProcess): Promise<void> {
  try {
    for await (const _ of output);
  } catch {
    // It was killed.
  }
}

/** `bin.000041:328`. Null when it is none. */
export function parsePlace(text: string): LogPlace | null {
  const [, file = '', position = ''] = /^(.+):(\d+)$/.exec(text) ?? [];
  return parseBinlogName(file) ? { file, position: Number(position) } : null;
}
