/** One dump: the tool, its arguments, and its output, checked while it passes. */
import { AppError } from '@backupx/contracts/errors';
import {
  type DatabaseInventory,
  describeLeftOut,
  type InventoryObject,
  type LeftOutObject,
  missingObjects,
  withoutLeftOut,
} from '../../ports/database-inventory.ts';
import { outputOf } from '../../ports/processes.ts';
import type { MysqlConnection, Tool } from './connection.ts';
import { DumpScanner } from './dump-scanner.ts';
import { describeProduct, isAtLeast } from './flavour.ts';
import { ignoring, leftOutOf } from './left-out.ts';
import { readInventory, type ServerInventory } from './read-inventory.ts';
import { RowStatements } from './row-statements.ts';
import { toolError } from './tool-error.ts';

export interface DumpOptions {
  readonly connection: MysqlConnection;
  readonly tool: Tool;
  readonly database: string;
  readonly withPosition: boolean;
  /** What it is to pass over. */
  readonly leftOut: readonly LeftOutObject[];
}

/** Arguments beside the option file. Equal data gives equal bytes. */
export function dumpArgs(options: DumpOptions, isStructureOnly = false): string[] {
  const { connection, tool, database, withPosition, leftOut } = options;
  const args = ['--single-transaction', '--quick', '--routines', '--events', '--triggers', '--hex-blob'];
  args.push('--default-character-set=utf8mb4', '--skip-dump-date', '--no-tablespaces', '--max-allowed-packet=1G');
  // Under these locks rows of a table that draws on a sequence cannot be inserted.
  args.push('--skip-add-locks');
  const { flavour, version } = connection.server;
  if (flavour === 'mysql') {
    // A dump may be restored into another server.
    args.push('--set-gtid-purged=OFF');
    if (isAtLeast(tool.version, '8.0')) args.push('--column-statistics=0');
  } else if (isAtLeast(tool.version, '10.11') && isAtLeast(version, '10.11') && !isStructureOnly) {
    args.push('--dump-history');
  }
  if (isStructureOnly) args.push('--no-data');
  if (withPosition)
    args.push(flavour === 'mysql' && isAtLeast(tool.version, '8.0.26') ? '--source-data=2' : '--master-data=2');
  return [...args, ...ignoring(database, leftOut), '--', database];
}

/** A dump on its way: `stream` to its end, then `inventory`. */
export class DatabaseDump {
  readonly #options: DumpOptions;
  readonly #before: ServerInventory;
  readonly #scanner: DumpScanner;
  #messages = '';

  private constructor(options: DumpOptions, before: ServerInventory) {
    this.#options = options;
    this.#before = before;
    this.#scanner = new DumpScanner(options.database, { wantsRows: true });
  }

  /** Counts what there is. The tool starts with the first read. */
  static async open(options: Omit<DumpOptions, 'leftOut'>): Promise<DatabaseDump> {
    const { connection, database } = options;
    const before = await readInventory(connection, database);
    return new DatabaseDump({ ...options, leftOut: await leftOutOf(connection, database) }, before);
  }

  /**
   * Each chunk is good until the next is asked for. Throws DATABASE_TOOL_FAILED and others of the tool,
   * DATABASE_DUMP_INCOMPLETE.
   */
  async *stream(): AsyncGenerator<Uint8Array> {
    const { connection, tool, database } = this.#options;
    const { signal, config } = connection;
    const running = connection.startWith(tool, dumpArgs(this.#options));
    running.endInput();
    const rows = new RowStatements();
    const failure = (end: Parameters<typeof toolError>[0]) =>
      toolError(end, { tool: tool.name, doing: `dump ${database}`, config });
    for await (const chunk of outputOf(running, { signal, failure })) {
      yield* rows.take(this.#scanner.push(chunk));
    }
    yield* rows.take(this.#scanner.end());
    yield* rows.end();
    this.#messages = (await running.ended).messages;
    if (!this.#scanner.isWhole) {
      throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: database, reason: 'its last line is missing' });
    }
  }

  /** What the tool said although it ended well. */
  get messages(): string {
    return this.#messages;
  }

  get unsafeTables(): readonly string[] {
    return this.#before.unsafeTables;
  }

  /** What the dump holds. */
  get inventory(): DatabaseInventory {
    const { connection, tool, database, leftOut } = this.#options;
    const { charset, collation } = this.#before;
    return {
      format: 1,
      server: connection.serverName,
      tool: `${tool.name} ${describeProduct(tool)}`,
      database,
      objects: this.#scanner.objects,
      ...(leftOut.length > 0 ? { leftOut: [...leftOut] } : {}),
      details: { charset, collation, ...positionOf(this.#scanner.notes) },
    };
  }

  /** What the server had before the dump and the dump has not, and what the tool says it could not read. */
  get gaps(): string[] {
    const { leftOut } = this.#options;
    const refused = this.#scanner.notes.filter((note) => note.startsWith('insufficient privileges'));
    const expected = withoutLeftOut(this.#before.objects, leftOut);
    return [...missingObjects(expected, this.#scanner.objects), ...describeLeftOut(leftOut), ...refused];
  }
}

function positionOf(notes: readonly string[]): Record<string, string> {
  const details: Record<string, string> = {};
  for (const note of notes) {
    const position = /_LOG_FILE='([^']*)', (?:MASTER|SOURCE)_LOG_POS=(\d+)/.exec(note);
    if (position) Object.assign(details, { binlogFile: position[1], binlogPosition: position[2] });
    const gtid = /gtid_slave_pos='([^']*)'/.exec(note);
    if (gtid?.[1] !== undefined) details.gtid = gtid[1];
  }
  return details;
}

/** The structure of a database as text of a dump: to put back what a restore replaces. */
export async function dumpStructure(options: Omit<DumpOptions, 'withPosition'>): Promise<Buffer> {
  const { connection, tool, database } = options;
  const { signal, config } = connection;
  const running = connection.startWith(tool, dumpArgs({ ...options, withPosition: false }, true));
  running.endInput();
  const chunks: Uint8Array[] = [];
  const failure = (end: Parameters<typeof toolError>[0]) =>
    toolError(end, { tool: tool.name, doing: `dump ${database}`, config });
  for await (const chunk of outputOf(running, { signal, failure })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Throws DATABASE_DUMP_DAMAGED when `found` lacks something of `expected`. */
export function assertSame(
  database: string,
  expected: readonly InventoryObject[],
  found: readonly InventoryObject[],
): void {
  const missing = missingObjects(expected, found);
  if (missing.length === 0) return;
  const reason = `${missing.slice(0, 5).join('; ')}${missing.length > 5 ? `; and ${missing.length - 5} more` : ''}`;
  throw new AppError('DATABASE_DUMP_DAMAGED', { name: database, reason });
}
