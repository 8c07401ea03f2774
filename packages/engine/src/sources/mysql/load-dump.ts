/**
 * A dump on its way into a server. What tables hold goes into a scratch database at once; what is code (views, triggers,
 * routines, events) is kept, to be made twice: in the scratch database as a proof, and in the place it is for.
 */
import { AppError } from '@backupx/contracts/errors';
import type { InventoryObject } from '../../ports/database-inventory.ts';
import { drain, isSuccess, type ToolProcess } from '../../ports/processes.ts';
import type { MysqlConnection } from './connection.ts';
import { type DumpPiece, DumpScanner } from './dump-scanner.ts';
import { type RewriteOptions, rewriteStatement } from './rewrite-statement.ts';
import type { Statement } from './statement.ts';
import { toolError } from './tool-error.ts';

/** A statement of the code of a database. */
export interface CodeStatement {
  readonly statement: Statement;
  readonly text: Buffer;
}

export interface LoadedDump {
  readonly objects: InventoryObject[];
  readonly code: CodeStatement[];
}

const CODE_OBJECTS = new Set(['VIEW', 'TRIGGER', 'PROCEDURE', 'FUNCTION', 'EVENT', 'PACKAGE', 'PACKAGE BODY']);
/** All that the dump programs write. Whatever else there is may be meant for another database. */
const KNOWN = new Set(
  'SET CREATE DROP INSERT REPLACE LOCK UNLOCK ALTER DELIMITER DO COMMIT SELECT PREPARE EXECUTE DEALLOCATE'.split(' '),
);
const SANDBOX_LINE = /^\/\*M?!999999\\- [^\n]*\n/;
/** Code is kept in memory. */
const MAX_CODE_BYTES = 512 * 1024 * 1024;

type Route = 'tables' | 'code' | 'both';

/** Where the statement goes. Throws DATABASE_DUMP_DAMAGED for one that no dump of one database has. */
function routeOf({ verb, object }: Statement, delimiter: string, database: string): Route {
  const isForeign = (object === 'DATABASE' || object === 'SCHEMA') && verb !== 'ALTER';
  if (!KNOWN.has(verb) || isForeign || (verb !== 'SET' && verb !== 'DELIMITER' && object === '' && needsObject(verb))) {
    throw new AppError('DATABASE_DUMP_DAMAGED', {
      name: database,
      reason: `it holds a statement ${verb} ${object}`.trim(),
    });
  }
  if (verb === 'DELIMITER' || object === 'DATABASE' || CODE_OBJECTS.has(object)) return 'code';
  if (verb === 'SET') return delimiter === ';' ? 'both' : 'code';
  return 'tables';
}

const needsObject = (verb: string): boolean => verb === 'CREATE' || verb === 'DROP' || verb === 'ALTER';

export interface LoadOptions {
  readonly database: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Takes what goes into tables, in order; its memory is used again when this has resolved. */
  writeTables(bytes: Buffer): Promise<void>;
  /** What the database is called while it is loaded. */
  readonly scratch: string;
}

/** Reads a dump to its end. Throws DATABASE_DUMP_DAMAGED when it is not whole, and what `writeTables` throws. */
export async function loadDump(options: LoadOptions): Promise<LoadedDump> {
  const scanner = new DumpScanner(options.database);
  const loader = new DumpLoader(options);
  for await (const chunk of options.content) await loader.take(scanner.push(chunk));
  await loader.take(scanner.end());
  if (!scanner.isWhole) {
    throw new AppError('DATABASE_DUMP_DAMAGED', { name: options.database, reason: 'its end is missing' });
  }
  return { objects: scanner.objects, code: loader.code };
}

class DumpLoader {
  readonly code: CodeStatement[] = [];
  readonly #options: LoadOptions;
  readonly #rewrite: RewriteOptions;
  #collected: Buffer[] = [];
  #codeBytes = 0;
  #isFirst = true;
  #memory: Buffer = Buffer.alloc(0);

  constructor(options: LoadOptions) {
    this.#options = options;
    const names = new Map([[options.database, options.scratch]]);
    this.#rewrite = { names, definer: 'keep', isProof: true };
  }

  async take(pieces: readonly DumpPiece[]): Promise<void> {
    const forTables: Buffer[] = [];
    for (const piece of pieces) this.#takePiece(piece, forTables);
    if (forTables.length > 0) await this.#options.writeTables(this.#joined(forTables));
  }

  /** Many small writes would cost more, and a new buffer for each chunk too. */
  #joined(parts: readonly Buffer[]): Buffer {
    const [first] = parts;
    if (first && parts.length === 1) return first;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (size > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (const part of parts) {
      this.#memory.set(part, at);
      at += part.length;
    }
    return this.#memory.subarray(0, size);
  }

  #takePiece(piece: DumpPiece, forTables: Buffer[]): void {
    const { statement, isEnd } = piece;
    if (!statement || statement.verb === '' || statement.verb === 'LOCK' || statement.verb === 'UNLOCK') return;
    const bytes = this.#isFirst ? withoutSandbox(piece.bytes) : piece.bytes;
    this.#isFirst = false;
    const route = routeOf(statement, piece.delimiter, this.#options.database);
    const isDefinition = statement.verb === 'CREATE' && statement.object === 'TABLE';
    if (route === 'tables' && !isDefinition) {
      forTables.push(bytes);
      return;
    }
    this.#collected.push(Buffer.from(bytes));
    if (!isEnd) return;
    const text = Buffer.concat(this.#collected);
    this.#collected = [];
    if (route !== 'code') forTables.push(isDefinition ? rewriteStatement(text, statement, this.#rewrite) : text);
    if (route !== 'tables') this.#keep(statement, text);
  }

  #keep(statement: Statement, text: Buffer): void {
    this.#codeBytes += text.length;
    if (this.#codeBytes > MAX_CODE_BYTES) {
      const reason = 'its views, triggers, routines and events are larger than 512 MiB';
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: this.#options.database, reason });
    }
    this.code.push({ statement, text });
  }
}

/** Clients of MySQL, and old ones of MariaDB, take this line for a command they do not know. */
function withoutSandbox(bytes: Buffer): Buffer {
  const line = SANDBOX_LINE.exec(bytes.toString('latin1', 0, 200));
  return line ? bytes.subarray(line[0].length) : bytes;
}

/** A client that is fed; `finish` throws when it did not end well. */
export class FedClient {
  readonly #connection: MysqlConnection;
  readonly #tool: ToolProcess;
  readonly #read: Promise<void>;

  constructor(connection: MysqlConnection, database?: string) {
    this.#connection = connection;
    this.#tool = connection.startClient(database);
    this.#read = drain(this.#tool.output);
  }

  /** Throws DATABASE_* when it ended meanwhile. */
  async write(bytes: Buffer): Promise<void> {
    if (!(await this.#tool.write(bytes))) await this.finish();
  }

  async finish(): Promise<void> {
    const { signal, client, config } = this.#connection;
    this.#tool.endInput();
    await this.#read;
    const end = await this.#tool.ended;
    if (signal.aborted) throw new AppError('CANCELLED');
    if (!isSuccess(end)) throw toolError(end, { tool: client.name, doing: 'restore', config });
  }

  kill(): void {
    this.#tool.kill();
  }
}

/** Makes the code of a database. Throws DATABASE_*. */
export async function runCode(
  connection: MysqlConnection,
  database: string,
  { code, rewrite }: { readonly code: readonly CodeStatement[]; readonly rewrite: RewriteOptions },
): Promise<void> {
  const client = new FedClient(connection, database);
  try {
    for (const { statement, text } of code) await client.write(rewriteStatement(text, statement, rewrite));
    await client.finish();
  } catch (error) {
    client.kill();
    throw error;
  }
}
