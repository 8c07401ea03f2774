/**
 * Where a restore works on the server. Everything it makes beside its targets is named for it:
 *
 * - `backupx_restore_<id>`: its journal, written before anything of a target is touched;
 * - `backupx_restore_<id>_<n>`: the n-th database while it is loaded and proven;
 * - `backupx_old_<id>_<n>`: the tables of the database that the n-th replaces, until all are in place.
 *
 * A lock of the server tells that the restore lives. What a dead one left is undone by the next restore on that server,
 * from any machine: until the journal says `done`, its targets get back what they had.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { LeftOutObject } from '../../ports/database-inventory.ts';
import type { ToolProcess } from '../../ports/processes.ts';
import type { MysqlConnection } from './connection.ts';
import { OWN_NAME } from './list-databases.ts';
import { quoteName, quoteText } from './sql-text.ts';

const CHUNK_BYTES = 256 * 1024;
const LOCK_TIMEOUT_MS = 20_000;

/** What is needed to undo the swap of one database. */
export interface JournalEntry {
  readonly target: string;
  /** False: the swap makes the database. */
  readonly existed: boolean;
  readonly charset: string;
  readonly collation: string;
  /** Tables and sequences that are put in place, and those that were there. */
  readonly newTables: readonly string[];
  readonly oldTables: readonly string[];
  /** The code of what was there, base64 of the text of a dump. */
  readonly oldDump: string;
  /** What was there and is in no dump. */
  readonly leftOut?: readonly LeftOutObject[];
}

/** Begins with the time, so that ids sort by age. */
function newId(): string {
  const seconds = Math.trunc(systemClock.now().getTime() / 1000);
  return seconds.toString(16).padStart(8, '0').slice(-8) + randomBytes(2).toString('hex');
}

/** The names above. */
export class RestoreNames {
  readonly id: string;

  constructor(id: string = newId()) {
    this.id = id;
  }

  get journal(): string {
    return `backupx_restore_${this.id}`;
  }

  scratch(index: number): string {
    return `backupx_restore_${this.id}_${index}`;
  }

  old(index: number): string {
    return `backupx_old_${this.id}_${index}`;
  }
}

/** The journal of one restore on the server. */
export class Journal {
  readonly #connection: MysqlConnection;
  readonly #table: string;
  readonly #names: RestoreNames;

  constructor(connection: MysqlConnection, names: RestoreNames) {
    this.#connection = connection;
    this.#names = names;
    this.#table = `${quoteName(names.journal)}.journal`;
  }

  async create(): Promise<void> {
    await this.#connection.query(
      `CREATE DATABASE ${quoteName(this.#names.journal)};
       CREATE TABLE ${this.#table} (place INT NOT NULL, part INT NOT NULL, body LONGBLOB NOT NULL, PRIMARY KEY (place, part)) ENGINE=InnoDB`,
      { doing: 'create databases' },
    );
  }

  /** One transaction: an entry is there as a whole or not at all. */
  async write(index: number, entry: JournalEntry): Promise<void> {
    const text = Buffer.from(JSON.stringify(entry));
    const statements: string[] = ['START TRANSACTION'];
    for (let at = 0; at < text.length; at += CHUNK_BYTES) {
      const hex = text.subarray(at, at + CHUNK_BYTES).toString('hex');
      statements.push(`INSERT INTO ${this.#table} VALUES (${index}, ${at / CHUNK_BYTES}, X'${hex}')`);
    }
    await this.#connection.query([...statements, 'COMMIT'].join(';\n'));
  }

  /** From here on the restore stands. */
  async writeDone(): Promise<void> {
    await this.#connection.query(`INSERT INTO ${this.#table} VALUES (-1, 0, '')`);
  }

  /** Entries by number; null: the restore was done. */
  async read(): Promise<Map<number, JournalEntry> | null> {
    const [isThere] = await this.#connection.query(
      `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(this.#names.journal)}`,
    );
    if (!isThere) return new Map();
    const rows = await this.#connection.query(`SELECT place, HEX(body) FROM ${this.#table} ORDER BY place, part`);
    const texts = new Map<number, string>();
    for (const [place = '', hex = ''] of rows) {
      texts.set(Number(place), (texts.get(Number(place)) ?? '') + Buffer.from(hex, 'hex').toString('latin1'));
    }
    if (texts.has(-1)) return null;
    const parse = (text: string) => JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) as JournalEntry;
    return new Map([...texts].map(([place, text]) => [place, parse(text)]));
  }
}

/** Holds the lock of a restore as long as it lives. */
export class RestoreLock {
  readonly #client: ToolProcess;

  readonly #names: RestoreNames;

  private constructor(client: ToolProcess, names: RestoreNames) {
    this.#client = client;
    this.#names = names;
  }

  static async take(connection: MysqlConnection, names: RestoreNames): Promise<RestoreLock> {
    const client = connection.startClient();
    const sql = `SET SESSION wait_timeout = 2147483; SELECT GET_LOCK(${quoteText(names.journal)}, 0);\n`;
    await client.write(Buffer.from(sql));
    const giveUp = new AbortController();
    const late = systemClock.sleep(LOCK_TIMEOUT_MS, giveUp.signal).then(
      () => client.kill(),
      () => {},
    );
    const answer = await client.output[Symbol.asyncIterator]().next();
    giveUp.abort();
    await late;
    if (answer.done || !Buffer.from(answer.value).toString('utf8').startsWith('1')) {
      client.kill();
      const end = await client.ended;
      throw new AppError('DATABASE_TOOL_FAILED', { tool: connection.client.name, reason: end.messages || 'no lock' });
    }
    return new RestoreLock(client, names);
  }

  /** Without it another restore takes this one for dead. Throws DATABASE_UNREACHABLE when the server has dropped it. */
  async assertHeld(connection: MysqlConnection): Promise<void> {
    const [[isHeld] = []] = await connection.query(
      `SELECT IS_USED_LOCK(${quoteText(this.#names.journal)}) IS NOT NULL`,
    );
    if (isHeld === '1') return;
    throw new AppError('DATABASE_UNREACHABLE', {
      server: connection.address,
      reason: 'the connection was lost meanwhile',
    });
  }

  async release(): Promise<void> {
    this.#client.endInput();
    this.#client.kill();
    await this.#client.ended;
  }
}

/** Restores on this server that do not live any more, the newest first: what came last is undone first. */
export async function findDeadRestores(connection: MysqlConnection): Promise<RestoreNames[]> {
  const rows = await connection.query(
    `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'backupx\\_%'`,
  );
  const ids = new Set(rows.flatMap(([name = '']) => OWN_NAME.exec(name)?.[2] ?? []));
  const dead: RestoreNames[] = [];
  for (const names of [...ids]
    .sort()
    .reverse()
    .map((id) => new RestoreNames(id))) {
    const [[isDead] = []] = await connection.query(`SELECT IS_USED_LOCK(${quoteText(names.journal)}) IS NULL`);
    if (isDead === '1') dead.push(names);
  }
  return dead;
}

/**
 * Drops all that a restore made beside its targets; the journal last. `isDone` false: what it replaced was put back, so
 * a table that is still aside is one that must not be lost, and nothing is dropped. Throws INTERNAL then.
 */
export async function dropRestore(
  connection: MysqlConnection,
  names: RestoreNames,
  { isDone }: { readonly isDone: boolean },
): Promise<void> {
  const rows = await connection.query(
    `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'backupx\\_%\\_${names.id}%'`,
  );
  const mine = rows.map(([name = '']) => name).filter((name) => OWN_NAME.test(name));
  if (!isDone) await assertNothingAside(connection, names);
  mine.sort((a, b) => Number(a === names.journal) - Number(b === names.journal));
  const drops = mine.map((name) => `DROP DATABASE IF EXISTS ${quoteName(name)}`);
  if (drops.length > 0) await connection.query(`SET foreign_key_checks = 0; ${drops.join('; ')}`);
}

async function assertNothingAside(connection: MysqlConnection, names: RestoreNames): Promise<void> {
  const [[count = '0'] = []] = await connection.query(
    `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE 'backupx\\_old\\_${names.id}\\_%'`,
  );
  if (count !== '0') throw new AppError('INTERNAL', {}, { cause: new Error(`tables of ${names.id} are still aside`) });
}
