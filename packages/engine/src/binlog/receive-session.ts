/** One run of the program that receives the logs of a server. */
import { AppError } from '@backupx/contracts/errors';
import { followTool } from '../direct-storage/follow-tool.ts';
import { MysqlConnection, type Tool } from '../sources/mysql/connection.ts';
import { readPrivileges } from '../sources/mysql/privileges.ts';
import type { ConnectionConfig } from '../sources/mysql/settings.ts';
import { toolError } from '../sources/mysql/tool-error.ts';
import { chooseStart, type ServerLog } from './choose-start.ts';
import { LogStoring, type StoringOptions } from './store-logs.ts';

export interface SessionOptions extends StoringOptions {
  readonly connection: ConnectionConfig;
  readonly replicaId: number;
  /** What logs that wait for the storage may take in the spool; then nothing more is received. */
  readonly spoolLimitBytes: number;
  readonly isGapAccepted: boolean;
  /** Ends the receiving; what has arrived is stored before it ends. `signal` ends everything at once. */
  readonly stop: AbortSignal;
}

const POLL_MS = 500;
const STALL_CHECK_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** How one ended: `full` is over, and what was in the spool is stored. */
export type SessionEnd = 'stopped' | 'full' | AppError;

/** See above. */
export class ReceiveSession {
  readonly #options: SessionOptions;
  readonly #connection: MysqlConnection;
  readonly #tool: Tool;
  readonly #start: string;
  readonly #storing: LogStoring;
  #lastCheckMs: number;
  #lastSeen = '';
  #isStalled = false;

  private constructor(
    options: SessionOptions,
    parts: { connection: MysqlConnection; tool: Tool; start: string; storing: LogStoring },
  ) {
    this.#options = options;
    this.#connection = parts.connection;
    this.#tool = parts.tool;
    this.#start = parts.start;
    this.#storing = parts.storing;
    this.#lastCheckMs = options.clock.monotonicMs();
  }

  /** Throws DATABASE_*, BINLOG_GAP, BINLOG_CONFLICT, STORAGE_*. */
  static async open(options: SessionOptions): Promise<ReceiveSession> {
    const { store, spool, stop, signal, isGapAccepted, log } = options;
    const connection = await MysqlConnection.open(options.connection, { tempDir: spool.at('tmp'), signal: stop });
    try {
      await assertMayFollow(connection);
      const tool = await connection.findBinlogReader();
      const [archived, partial] = [await store.list(signal), await store.partial(signal)];
      const start = chooseStart({ onServer: await logsOf(connection), archived, partial, isGapAccepted });
      // The server has all of it.
      spool.clear();
      log(`Following ${connection.serverName} at ${connection.address} from ${start}, by ${tool.path}.`);
      const storing = new LogStoring(options, { next: start, last: archived.at(-1) ?? null });
      return new ReceiveSession(options, { connection, tool, start, storing });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** True: something came. */
  get isFruitful(): boolean {
    return this.#storing.isFruitful;
  }

  /** Ends when the program does, and what it has brought is stored. Throws BINLOG_*, CANCELLED. */
  async follow(): Promise<SessionEnd> {
    const { stop, clock, spool, replicaId, log } = this.#options;
    const idOption = this.#tool.flavour === 'mariadb' ? '--stop-never-slave-server-id' : '--connection-server-id';
    const args = ['--read-from-remote-server', '--raw', '--stop-never', `${idOption}=${replicaId}`];
    try {
      const running = this.#connection.startWith(this.#tool, [...args, `--result-file=${spool.path}/`, this.#start]);
      const end = await followTool(running, {
        ...{ stop, clock, pollMs: POLL_MS, isFull: () => this.#isFull() },
        step: () => this.#step(),
      });
      if (end === null && !this.#isStalled && !stop.aborted) this.#alarm();
      if (!(await this.#storeRest())) {
        log('Stopped. What the storage did not take stays in the spool and is stored by the next start.');
        return 'stopped';
      }
      spool.clear();
      if (stop.aborted) return 'stopped';
      if (end !== null) return this.#failureOf(end);
      const reason = 'it has more than has come for a while';
      return this.#isStalled
        ? new AppError('DATABASE_UNREACHABLE', { server: this.#connection.address, reason })
        : 'full';
    } finally {
      this.#connection.close();
    }
  }

  async #step(): Promise<boolean> {
    await this.#storing.store({ isPartialDue: false });
    this.#isStalled = await this.#hasStalled();
    return !this.#isStalled;
  }

  /** Whether more waits for the storage than may. The log that is being written must come in any case. */
  #isFull(): boolean {
    const { spool, spoolLimitBytes } = this.#options;
    return spool.logs().length > 1 && spool.sizeBytes() > spoolLimitBytes;
  }

  #alarm(): void {
    const { spool, spoolLimitBytes, log } = this.#options;
    log(
      `ALARM: the spool holds ${spool.sizeBytes()} of ${spoolLimitBytes} bytes. Nothing is received until the storage takes them; meanwhile ${this.#connection.address} may remove logs.`,
    );
  }

  /** False: it was told to stop, and the storage did not take it. */
  async #storeRest(): Promise<boolean> {
    const { stop, clock } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (await this.#storing.store({ isPartialDue: true })) return true;
      if (stop.aborted) return false;
      await clock.sleep(pauseMs, stop).catch(() => {});
    }
  }

  #failureOf(end: Parameters<typeof toolError>[0]): AppError {
    return toolError(end, { tool: this.#tool.name, doing: 'read its binary log', config: this.#options.connection });
  }

  /** A connection that broke without a word: the server goes on, and nothing comes. */
  async #hasStalled(): Promise<boolean> {
    const { clock, spool } = this.#options;
    if (clock.monotonicMs() - this.#lastCheckMs < STALL_CHECK_MS) return false;
    this.#lastCheckMs = clock.monotonicMs();
    const here = spool.logs().at(-1);
    const seen = here ? `${here.name} ${here.sizeBytes}` : '';
    const there = (await logsOf(this.#connection).catch(() => [])).at(-1);
    const isBehind = there !== undefined && `${there.name} ${there.sizeBytes}` !== seen;
    const hasStalled = isBehind && seen === this.#lastSeen;
    this.#lastSeen = isBehind ? seen : '-';
    return hasStalled;
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
