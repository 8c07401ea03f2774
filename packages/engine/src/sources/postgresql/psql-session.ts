/** A connection that stays open: one psql that is asked, one question after the other, and answers in JSON. */
import { randomUUID } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { startTool, type ToolProcess } from '../../ports/processes.ts';
import { failureOf } from './failures.ts';
import type { Server } from './server.ts';

const ANSWER_LIMIT_MS = 60_000;

/** What does not change while it is open. */
export interface SessionFacts {
  /** `15.18 (Debian …)` */
  readonly version: string;
  readonly major: number;
  readonly isSuperuser: boolean;
  readonly isEncrypted: boolean;
  readonly isStandby: boolean;
}

/** Settings that could end a session that waits while a dump runs, or change what names mean. */
const BEGIN = `
\\set VERBOSITY verbose
SET client_min_messages = warning;
SELECT pg_catalog.set_config(name, value, false) FROM (VALUES
  ('search_path', ''), ('standard_conforming_strings', 'on'), ('statement_timeout', '0'), ('lock_timeout', '0'),
  ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
  ('row_security', 'off'), ('extra_float_digits', '0'), ('DateStyle', 'ISO')
) AS wanted(name, value) WHERE name IN (SELECT s.name FROM pg_catalog.pg_settings s) \\g /dev/null
`;

const FACTS = `SELECT current_setting('server_version') AS version,
  current_setting('server_version_num')::int / 10000 AS major,
  current_setting('is_superuser') = 'on' AS "isSuperuser",
  coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS "isEncrypted",
  pg_is_in_recovery() AS "isStandby"`;

/** See above. Throws DATABASE_* of whatever goes wrong; after that it is closed. */
export class PsqlSession {
  readonly database: string;
  facts: SessionFacts = { version: '', major: 0, isSuperuser: false, isEncrypted: false, isStandby: false };
  readonly #server: Server;
  readonly #signal: AbortSignal;
  readonly #tool: ToolProcess;
  readonly #output: AsyncIterator<Uint8Array>;

  private constructor(server: Server, database: string, signal: AbortSignal) {
    this.database = database;
    this.#server = server;
    this.#signal = signal;
    const args = ['-X', '-q', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', '-f', '-', '-d', server.conninfo(database)];
    const command = server.command(server.newest, 'psql', args);
    this.#tool = startTool({ ...command, env: { ...command.env, PGCLIENTENCODING: 'UTF8' } }, signal);
    this.#output = this.#tool.output[Symbol.asyncIterator]();
  }

  static async open(server: Server, database: string, signal: AbortSignal): Promise<PsqlSession> {
    const session = new PsqlSession(server, database, signal);
    await session.#ask(BEGIN, ANSWER_LIMIT_MS);
    const [facts] = await session.query<SessionFacts>(FACTS);
    if (facts) session.facts = facts;
    return session;
  }

  /** Rows of a SELECT, by the names of its columns. */
  async query<Row>(select: string, timeoutMs = ANSWER_LIMIT_MS): Promise<Row[]> {
    const sql = `SELECT coalesce(json_agg(answer), '[]') FROM (${select}) AS answer;\n`;
    return JSON.parse(await this.#ask(sql, timeoutMs)) as Row[];
  }

  /** Statements with their semicolons. */
  async run(sql: string, timeoutMs = ANSWER_LIMIT_MS): Promise<void> {
    await this.#ask(`${sql}\n`, timeoutMs);
  }

  async close(): Promise<void> {
    this.#tool.endInput();
    this.#tool.kill();
    await this.#tool.ended;
  }

  /** Everything psql prints until it repeats a word that nothing else can contain. */
  async #ask(sql: string, timeoutMs: number): Promise<string> {
    const mark = Buffer.from(`${randomUUID()}\n`);
    const timeout = AbortSignal.timeout(timeoutMs);
    const onTimeout = () => this.#tool.kill();
    timeout.addEventListener('abort', onTimeout, { once: true });
    const chunks: Uint8Array[] = [];
    let tail = Buffer.alloc(0);
    void this.#tool.write(Buffer.from(`${sql}\\echo ${mark.toString()}`));
    try {
      while (!tail.equals(mark)) {
        const { value, done } = await this.#output.next();
        if (done) break;
        chunks.push(value);
        tail = Buffer.concat([tail, value]).subarray(-mark.byteLength);
      }
    } catch {
      // The end of the program says why.
    } finally {
      timeout.removeEventListener('abort', onTimeout);
    }
    if (tail.equals(mark)) return Buffer.concat(chunks).subarray(0, -mark.byteLength).toString('utf8');
    throw await this.#failure(timeout.aborted ? timeoutMs : null);
  }

  async #failure(timeoutMs: number | null): Promise<AppError> {
    this.#tool.endInput();
    const end = await this.#tool.ended;
    if (this.#signal.aborted) return new AppError('CANCELLED');
    if (timeoutMs !== null) return new AppError('TIMEOUT', { what: this.#server.label, seconds: timeoutMs / 1000 });
    return failureOf(end, this.#server.place('psql', this.database));
  }
}
