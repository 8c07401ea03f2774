/**
 * A restore into a running server. The dump is loaded into a scratch server of this machine, which proves it; then its
 * keys are copied, with DUMP and RESTORE, into database numbers that nobody uses; and only when all are there the
 * databases change places with those they replace, all at once (SWAPDB in a transaction). So until then, and after any
 * failure, the server has what it had. It needs memory for both.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describeSession } from '@backupx/contracts/describe-session';
import { AppError } from '@backupx/contracts/errors';
import { SecretFolder } from '../../ports/secret-folder.ts';
import type { RestoreContext } from '../../ports/source.ts';
import { compareCounts } from './compare-counts.ts';
import { nameOfServer, newNumbers, type RedisConfig, type RedisRestoreOptions, serverOfRestore } from './config.ts';
import { RedisConnection } from './connection.ts';
import { copyFunctions } from './copy-functions.ts';
import { assertAllThere, type CopiedKeys, copyKeys } from './copy-keys.ts';
import { DUMP_PATH } from './entry-paths.ts';
import { findFreeDatabases } from './free-databases.ts';
import { clearLeftovers, emptyReplaced, foreseeLeftovers, takeBack } from './leftovers.ts';
import type { RdbSummary } from './rdb-scanner.ts';
import { claimDatabase, readMark } from './restore-marks.ts';
import { findServerProgram, ScratchServer } from './scratch-server.ts';
import { readFacts } from './server-facts.ts';
import { listSessions, type RedisSession } from './sessions.ts';
import { countKeys, swapDatabases } from './swap-databases.ts';

/** RESTORE with absolute times came with 5.0. */
const OLDEST_MAJOR = 5;
const LISTED_SESSIONS = 10;

/** See above: `open`, `write` all of the dump, then `commit` or `rollback`. */
export class LiveRestore {
  readonly #config: RedisConfig;
  readonly #options: RedisRestoreOptions;
  readonly #context: RestoreContext;
  #folder: SecretFolder | null = null;
  #fd = -1;
  /** Who we are, in the marks. */
  readonly #owner = randomBytes(8).toString('hex');
  /** Numbers our keys are in until they change places. */
  #used: number[] = [];
  /** The server was told to let them change places, and perhaps did. */
  #mayHaveSwapped = false;
  /** Keys that the server had thrown out before anything was copied. */
  #evictedBefore = 0;

  constructor(config: RedisConfig, options: RedisRestoreOptions, context: RestoreContext) {
    this.#config = serverOfRestore(config, options);
    this.#options = options;
    this.#context = context;
  }

  get place(): string {
    return this.#context.tempDir;
  }

  /** Refuses what cannot work before the dump is fetched. */
  async open(): Promise<void> {
    findServerProgram();
    const server = await this.#connect();
    try {
      await this.#assertUsable(server);
    } finally {
      server.close();
    }
    this.#folder = new SecretFolder(this.#context.tempDir);
    this.#fd = openSync(this.#dumpPath, 'wx', 0o600);
  }

  /** Throws what would stop it. Which of the databases another restore was making shows only when they are loaded. */
  async foresee({ keys }: RdbSummary): Promise<void> {
    findServerProgram();
    const server = await this.#connect();
    try {
      await this.#assertUsable(server);
      const targets = keys === null ? [] : this.#targetsOf([...keys.keys()]);
      const stale = await foreseeLeftovers(server, this.#told);
      const present = targets.filter((database) => !stale.includes(database));
      await this.#assertReplaceable(server, present);
      await findFreeDatabases(server, { count: targets.length, taken: targets, stale });
    } finally {
      server.close();
    }
  }

  write(chunk: Uint8Array): void {
    for (let done = 0; done < chunk.byteLength; ) done += writeSync(this.#fd, chunk, done);
  }

  async commit(summary: RdbSummary): Promise<number> {
    this.#closeFile();
    const highest = Math.max(15, ...(summary.keys?.keys() ?? []));
    const { signal } = this.#context;
    const scratch = await ScratchServer.start({
      dumpPath: this.#dumpPath,
      databases: highest + 1,
      name: DUMP_PATH,
      signal,
    });
    const open: RedisConnection[] = [];
    const opened = async (connecting: Promise<RedisConnection>) => {
      open.push(await connecting);
      return open.at(-1) as RedisConnection;
    };
    try {
      const [from, to] = [await opened(scratch.connect()), await opened(this.#connect())];
      const counts = (await readFacts(from)).keys ?? new Map<number, number>();
      const [difference] = compareCounts(summary, counts);
      if (difference) throw new AppError('DATABASE_DUMP_DAMAGED', { name: DUMP_PATH, reason: difference });
      return await this.#copyAll({ from, to, databases: await this.#wantedDatabases(from, counts.keys()) });
    } finally {
      for (const connection of open) connection.close();
      await scratch.stop();
      this.#folder?.remove();
    }
  }

  async rollback(): Promise<void> {
    this.#closeFile();
    this.#folder?.remove();
    if (this.#used.length === 0) return;
    const never = new AbortController().signal;
    try {
      const server = await RedisConnection.open(this.#config, never);
      try {
        const [owner, mayHaveSwapped, evictedBefore] = [this.#owner, this.#mayHaveSwapped, this.#evictedBefore];
        const ours = { owner, mayHaveSwapped, evictedBefore };
        for (const database of this.#used) await takeBack(server, database, { ...ours, log: this.#context.log });
      } finally {
        server.close();
      }
    } catch (error) {
      const message = `The next restore empties the database(s) ${this.#used.join(', ')}: ${(error as Error).message}`;
      this.#context.log('warn', message);
    }
  }

  /** Who is told of what is found on the server. */
  get #told() {
    const { log, problem } = this.#context;
    return { path: nameOfServer(this.#config), log, problem };
  }

  get #dumpPath(): string {
    return join(this.#folder?.path ?? '', 'dump.rdb');
  }

  #closeFile(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  async #connect(): Promise<RedisConnection> {
    return await RedisConnection.open(this.#config, this.#context.signal);
  }

  async #assertUsable(server: RedisConnection): Promise<void> {
    const facts = await readFacts(server);
    const name = nameOfServer(this.#config);
    const refuse = (what: string, hint: string) => new AppError('NOT_SUPPORTED', { what, hint });
    if (facts.isCluster) {
      throw refuse(`A restore into a running cluster (${name})`, 'Restore the file of each node while it is stopped.');
    }
    if (facts.isReplica) throw refuse(`A restore into a replica (${name})`, 'Restore into its primary server.');
    const major = facts.version[0];
    if (major !== undefined && facts.server.startsWith('Redis') && major < OLDEST_MAJOR) {
      throw refuse(`A restore into ${facts.server}`, 'Restore the file of the server while it is stopped.');
    }
  }

  async #copyAll({ from, to, databases }: CopyParts): Promise<number> {
    const { signal } = this.#context;
    const targets = this.#targetsOf(databases);
    await clearLeftovers(to, this.#told);
    // The copying may take long; who would stop the restore at its end stops it here.
    await this.#assertReplaceable(to, targets);
    const places = await findFreeDatabases(to, { count: databases.length, taken: targets });
    this.#evictedBefore = (await readFacts(to)).evictedKeys;
    const onKeys = (items: number) => this.#context.progress({ items });
    const copies: { place: number; database: number; counts: CopiedKeys }[] = [];
    for (const [index, database] of databases.entries()) {
      const place = places[index] as number;
      await claimDatabase(to, place, this.#owner);
      this.#used.push(place);
      const marks = { marked: this.#used, owner: this.#owner };
      copies.push({ place, database, counts: await copyKeys({ from, to, database, place, ...marks, signal, onKeys }) });
    }
    const total = copies.reduce((sum, { counts }) => sum + counts.copied, 0);
    await this.#assertNothingEvicted(to);
    // Somebody may have begun to write there meanwhile.
    const sessions = await this.#assertReplaceable(to, targets);
    const functions = await copyFunctions({ from, to, isReplacing: this.#options.replaceExisting });
    try {
      // Another that had stood still may have written into what is ours now.
      for (const copy of copies) await assertAllThere(to, copy);
      const left = this.#options.replaceExisting ? 'replaced' : 'late';
      const onPending = (isPending: boolean) => {
        this.#mayHaveSwapped = isPending;
      };
      await swapDatabases(to, { databases: targets, free: places, owner: this.#owner, left, sessions, onPending });
    } catch (error) {
      await functions.undo();
      throw error;
    }
    this.#used = [];
    this.#context.log('info', `${total} key(s) in ${databases.length} database(s) are in place.`);
    await emptyReplaced(to, places, { ...this.#told, owner: this.#owner });
    return Math.max(1, total);
  }

  /** A cache makes room for what is copied by throwing out what others keep in it, or what was copied before. */
  async #assertNothingEvicted(to: RedisConnection): Promise<void> {
    const evicted = (await readFacts(to)).evictedKeys - this.#evictedBefore;
    if (evicted <= 0) return;
    const reason = `${nameOfServer(this.#config)} threw out ${evicted} key(s) while the backup was copied into it: its memory (maxmemory) is too small for the databases it has and those of the backup at once`;
    throw new AppError('DATABASE_TOOL_FAILED', { tool: 'RESTORE', reason });
  }

  /** Ids of the connections that are to be ended. Throws DATABASE_EXISTS, DATABASE_IN_USE. */
  async #assertReplaceable(to: RedisConnection, targets: readonly number[]): Promise<string[]> {
    // One that the server has not would fail in the middle of the change.
    for (const database of targets) await countKeys(to, database);
    if (!this.#options.replaceExisting) await this.#assertEmpty(to, targets);
    return await this.#sessionsToEnd(to, targets);
  }

  /** Ids of the connections to databases that are replaced. Throws DATABASE_IN_USE when they may not be ended. */
  async #sessionsToEnd(to: RedisConnection, targets: readonly number[]): Promise<string[]> {
    const { replaceExisting, endSessions } = this.#options;
    if (!replaceExisting) return [];
    const sessions = await listSessions(to);
    if (sessions === null) this.#context.log('warn', 'Who is connected is unknown: the user may not run CLIENT LIST.');
    const others: RedisSession[] = [];
    for (const database of targets) {
      const users = (sessions ?? []).filter((session) => session.database === database);
      // Nothing is replaced in an empty one.
      if (users.length > 0 && (await countKeys(to, database)) > 0) others.push(...users);
    }
    if (others.length === 0 || endSessions) return others.map(({ id }) => id);
    const names = [...new Set(others.map(({ database }) => `db${database}`))].join(', ');
    const listed = others.slice(0, LISTED_SESSIONS).map(describeSession).join(', ');
    const more = others.length > LISTED_SESSIONS ? ` and ${others.length - LISTED_SESSIONS} more` : '';
    throw new AppError('DATABASE_IN_USE', { name: `${nameOfServer(this.#config)} ${names}`, sessions: listed + more });
  }

  /** Numbers in the dump, without what another restore was making when the dump was taken. */
  async #wantedDatabases(from: RedisConnection, all: Iterable<number>): Promise<number[]> {
    const wanted: number[] = [];
    for (const database of all) {
      const mark = await readMark(from, database);
      if (mark === null || mark.kind === 'late') wanted.push(database);
      else this.#context.log('info', `Database ${database} is left out: it was that of a restore during the backup.`);
    }
    return wanted.sort((a, b) => a - b);
  }

  #targetsOf(databases: readonly number[]): number[] {
    const numbers = newNumbers(this.#options.rename);
    const unknown = [...numbers.keys()].find((old) => !databases.includes(old));
    if (unknown !== undefined) {
      throw new AppError('DATABASE_NOT_FOUND', { name: `database ${unknown}`, server: 'the backup' });
    }
    const targets = databases.map((database) => numbers.get(database) ?? database);
    if (new Set(targets).size === targets.length) return targets;
    throw new AppError('RESTORE_TARGET_INVALID', {
      path: nameOfServer(this.#config),
      reason: 'two databases would go to one number',
    });
  }

  async #assertEmpty(to: RedisConnection, databases: readonly number[]): Promise<void> {
    for (const database of databases) {
      const keys = await countKeys(to, database);
      if (keys === 0) continue;
      const name = `Database ${database} with ${keys} key(s)`;
      throw new AppError('DATABASE_EXISTS', { name, server: nameOfServer(this.#config) });
    }
  }
}

interface CopyParts {
  readonly from: RedisConnection;
  readonly to: RedisConnection;
  /** Numbers in the dump. */
  readonly databases: readonly number[];
}
