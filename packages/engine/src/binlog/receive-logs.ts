/**
 * Follows the binary log of a server for ever: the program of the server writes logs into the spool, each that is whole goes
 * into the archive, the one that is being written as far as it is, every minute. Where to go on, the archive says; so
 * it does not matter how the receiver, the program or the server ended.
 */
import { createReadStream } from 'node:fs';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { Clock } from '../ports/clock.ts';
import type { ToolEnd } from '../ports/processes.ts';
import { MysqlConnection, type Tool } from '../sources/mysql/connection.ts';
import { readPrivileges } from '../sources/mysql/privileges.ts';
import type { ConnectionConfig } from '../sources/mysql/settings.ts';
import { toolError } from '../sources/mysql/tool-error.ts';
import { nameWith, numberOf } from './binlog-names.ts';
import type { BinlogStore } from './binlog-store.ts';
import { chooseStart, type ServerLog } from './choose-start.ts';
import { describeGap } from './find-log-gaps.ts';
import { readBinlog } from './read-binlog.ts';
import type { SpoolFolder } from './spool-folder.ts';

export interface ReceiveOptions {
  readonly store: BinlogStore;
  readonly spool: SpoolFolder;
  readonly connection: ConnectionConfig;
  readonly replicaId: number;
  readonly partialIntervalMs: number;
  readonly isGapAccepted: boolean;
  /** Ends the receiving; what has arrived is stored before it ends. */
  readonly stop: AbortSignal;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  log(message: string): void;
}

const POLL_MS = 500;
const STALL_CHECK_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** So often in a row the program may end without having brought anything, although the server lets us in. */
const FRUITLESS_LIMIT = 3;
const LASTING: ReadonlySet<string> = new Set(['DATABASE_AUTH', 'DATABASE_PERMISSION']);

/** Ends when it is told to. Throws BINLOG_*, STORAGE_*, and DATABASE_* but _UNREACHABLE, which passes. */
export async function receiveLogs(options: ReceiveOptions): Promise<void> {
  const { stop, clock, log } = options;
  let [pauseMs, fruitless] = [FIRST_PAUSE_MS, 0];
  while (!stop.aborted) {
    const ending = await followOnce(options);
    if (ending === null) return;
    const { failure, brought } = ending;
    if (brought === 'something') [pauseMs, fruitless] = [FIRST_PAUSE_MS, 0];
    if (brought === 'nothing') fruitless += 1;
    if (LASTING.has(failure.code) || fruitless >= FRUITLESS_LIMIT) throw failure;
    log(`${failure.message} Going on in ${pauseMs / 1000} s.`);
    await clock.sleep(pauseMs, stop).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

interface Ending {
  readonly failure: AppError;
  readonly brought: 'something' | 'nothing' | 'not connected';
}

/** Null: it was told to stop. */
async function followOnce(options: ReceiveOptions): Promise<Ending | null> {
  try {
    const session = await Session.open(options);
    const end = await session.follow();
    if (end === null) return null;
    const about = { tool: 'mariadb-binlog', doing: 'read its binary log', config: options.connection };
    return { failure: toolError(end, about), brought: session.isFruitful ? 'something' : 'nothing' };
  } catch (error) {
    const failure = toAppError(error);
    if (options.stop.aborted && failure.code === 'CANCELLED') return null;
    if (failure.code !== 'DATABASE_UNREACHABLE') throw error;
    return { failure, brought: 'not connected' };
  }
}

/** Throws DATABASE_PERMISSION. */
async function assertMayFollow(connection: MysqlConnection): Promise<void> {
  const privileges = await readPrivileges(connection);
  if (['REPLICATION SLAVE', 'SUPER'].some((right) => privileges.has(right))) return;
  const { address: server, config } = connection;
  const action = 'read its binary log: without REPLICATION SLAVE on *.*';
  throw new AppError('DATABASE_PERMISSION', { user: config.dbUser, server, action });
}

/** Logs of the server, oldest first. */
async function logsOf(connection: MysqlConnection): Promise<ServerLog[]> {
  const rows = await connection.query('SHOW BINARY LOGS', { doing: 'list its binary logs' });
  return rows.map(([name = '', size = '0']) => ({ name, sizeBytes: Number(size) }));
}

/** One run of the program. */
class Session {
  readonly #options: ReceiveOptions;
  readonly #connection: MysqlConnection;
  readonly #tool: Tool;
  readonly #start: string;
  /** The log that is to come next into the archive. */
  #next: string;
  #storedPartial = '';
  #lastPartialMs: number;
  #lastCheckMs: number;
  #lastSeen = '';
  #arrived = 0;

  private constructor(options: ReceiveOptions, parts: { connection: MysqlConnection; tool: Tool; start: string }) {
    this.#options = options;
    this.#connection = parts.connection;
    this.#tool = parts.tool;
    this.#start = parts.start;
    this.#next = parts.start;
    this.#lastPartialMs = options.clock.monotonicMs();
    this.#lastCheckMs = options.clock.monotonicMs();
  }

  /** Throws DATABASE_*, BINLOG_GAP, BINLOG_CONFLICT. */
  static async open(options: ReceiveOptions): Promise<Session> {
    const { store, spool, stop, signal, isGapAccepted, log } = options;
    const connection = await MysqlConnection.open(options.connection, { tempDir: spool.at('tmp'), signal: stop });
    try {
      await assertMayFollow(connection);
      const tool = await connection.findBinlogReader();
      const [archived, partial] = [await store.list(signal), await store.partial(signal)];
      const start = chooseStart({ onServer: await logsOf(connection), archived, partial, isGapAccepted });
      spool.clear();
      log(`Following ${connection.serverName} at ${connection.address} from ${start}, by ${tool.path}.`);
      return new Session(options, { connection, tool, start });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** True: something came. */
  get isFruitful(): boolean {
    return this.#arrived > 0;
  }

  /** Null: it was told to stop; otherwise how the program ended. */
  async follow(): Promise<ToolEnd | null> {
    const { stop, clock, spool, replicaId } = this.#options;
    const idOption = this.#tool.flavour === 'mariadb' ? '--stop-never-slave-server-id' : '--connection-server-id';
    const args = ['--read-from-remote-server', '--raw', '--stop-never', `${idOption}=${replicaId}`];
    const running = this.#connection.startWith(this.#tool, [...args, `--result-file=${spool.path}/`, this.#start]);
    running.endInput();
    const drained = drain(running.output);
    let end: ToolEnd | null = null;
    void running.ended.then((how) => {
      end = how;
    });
    try {
      while (end === null && !stop.aborted) {
        await Promise.race([running.ended, clock.sleep(POLL_MS, stop).catch(() => {})]);
        await this.#storeWhole();
        await this.#storePartial({ isDue: false });
        if (end === null && (await this.#isStalled())) {
          this.#options.log('The server has more than has come for a while. Connecting anew.');
          break;
        }
      }
      running.kill();
      end = await running.ended;
      await drained;
      await this.#storeWhole();
      await this.#storePartial({ isDue: true });
      spool.clear();
      return stop.aborted ? null : end;
    } finally {
      running.kill();
      await running.ended;
      this.#connection.close();
    }
  }

  /** The program has left all but the last, so those are whole. Throws BINLOG_GAP, BINLOG_DAMAGED, STORAGE_*. */
  async #storeWhole(): Promise<void> {
    const { spool, store, signal, log } = this.#options;
    for (const { name } of spool.logs().slice(0, -1)) {
      if (numberOf(name) !== numberOf(this.#next)) {
        const last = nameWith(name, numberOf(name) - 1);
        throw new AppError('BINLOG_GAP', { logs: describeGap({ first: this.#next, last }) });
      }
      const read = () => createReadStream(spool.at(name));
      const facts = await readBinlog(read(), { name });
      await store.put(name, facts, { read, isPartial: false, signal });
      log(`${name}: ${facts.sizeBytes} bytes with ${facts.transactions} transactions stored.`);
      spool.remove(name);
      this.#arrived += 1;
      this.#next = nameWith(name, numberOf(name) + 1);
      this.#storedPartial = '';
    }
  }

  async #storePartial({ isDue }: { readonly isDue: boolean }): Promise<void> {
    const { spool, store, signal, clock, partialIntervalMs, log } = this.#options;
    if (!isDue && clock.monotonicMs() - this.#lastPartialMs < partialIntervalMs) return;
    this.#lastPartialMs = clock.monotonicMs();
    const last = spool.logs().at(-1);
    if (!last || last.sizeBytes === 0) return;
    this.#arrived += 1;
    const seen = `${last.name} ${last.sizeBytes}`;
    if (seen === this.#storedPartial) return;
    const { name } = last;
    // It may grow meanwhile: what is judged is what is stored.
    const judged = createReadStream(spool.at(name), { end: last.sizeBytes - 1 });
    const facts = await readBinlog(judged, { name, isPartial: true }).catch((error: unknown) => {
      // Not even the first event is there yet.
      if (error instanceof AppError && last.sizeBytes < 512) return null;
      throw error;
    });
    if (!facts) return;
    const read = () => createReadStream(spool.at(name), { end: facts.sizeBytes - 1 });
    const stored = await store.put(name, facts, { read, isPartial: true, signal });
    this.#storedPartial = seen;
    if (stored.sha256 === facts.sha256)
      log(`${name}: ${facts.sizeBytes} bytes stored of the log that is being written.`);
  }

  /** A connection that broke without a word: the server goes on, and nothing comes. */
  async #isStalled(): Promise<boolean> {
    const { clock, spool } = this.#options;
    if (clock.monotonicMs() - this.#lastCheckMs < STALL_CHECK_MS) return false;
    this.#lastCheckMs = clock.monotonicMs();
    const here = spool.logs().at(-1);
    const seen = here ? `${here.name} ${here.sizeBytes}` : '';
    const there = (await logsOf(this.#connection).catch(() => [])).at(-1);
    const isBehind = there !== undefined && `${there.name} ${there.sizeBytes}` !== seen;
    const isStalled = isBehind && seen === this.#lastSeen;
    this.#lastSeen = isBehind ? seen : '-';
    return isStalled;
  }
}

/** The program prints nothing when it writes files. */
async function drain(output: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of output);
  } catch {
    // It was killed.
  }
}
