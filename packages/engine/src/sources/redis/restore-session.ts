/** Brings a dump back: into a folder, to the file of a stopped server, or into a running one (`live-restore.ts`). */
import { mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { displayPath } from '../../ports/display-path.ts';
import { readText } from '../../ports/entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { type RedisConfig, redisRestoreSchema, serverOfRestore } from './config.ts';
import { RedisConnection } from './connection.ts';
import { DUMP_PATH, INVENTORY_PATH, pathOfEntry, ROOT } from './entry-paths.ts';
import { objectsOf } from './key-counts.ts';
import { LiveRestore } from './live-restore.ts';
import { appendOnlyFileIn, assertNoServerIn, StagedFile } from './place-dump.ts';
import { type RdbSummary, scanned } from './rdb-scanner.ts';
import { peekServer } from './saved-server.ts';
import { readFacts } from './server-facts.ts';

/** Where the dump goes. */
interface Destination {
  /** Where it writes. */
  readonly place: string;
  /** For a restore that changes nothing: throws what would stop it, or `isThere`. */
  foresee(summary: RdbSummary): Promise<void>;
  /** Before the first byte comes. */
  open(): Promise<void>;
  write(chunk: Uint8Array): void;
  /** Everything has come and is right. Answers how many things were restored. */
  commit(summary: RdbSummary): Promise<number>;
  rollback(): Promise<void>;
}

/** Throws when the server it goes to is not like the one that was saved (empty: unknown), and that was not accepted. */
type AskVersion = (saved: string) => Promise<void>;

/** See above. */
export async function openRestoreSession(config: RedisConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = redisRestoreSchema.parse(context.options);
  const { targetPath, overwrite } = context;
  if (targetPath !== null) return new RedisRestore(context, new FileInFolder(join(targetPath, DUMP_PATH), overwrite));
  if (options.dumpPath !== '') return new RedisRestore(context, new FileOfServer(options, context));
  const server = serverOfRestore(config, options);
  const askVersion: AskVersion = async (saved) => {
    const connection = await RedisConnection.open(server, context.signal);
    try {
      const { server: target } = await readFacts(connection);
      new VersionQuestion(target, options, context).ask(DUMP_PATH, saved);
    } finally {
      connection.close();
    }
  };
  return new RedisRestore(context, new LiveRestore(config, options, context), askVersion);
}

class RedisRestore implements RestoreSession {
  readonly #context: RestoreContext;
  readonly #destination: Destination;
  readonly #askVersion: AskVersion | null;
  #summary: RdbSummary | null = null;
  #isSkipped = false;

  /** `askVersion` null: it goes into a file, which no server reads yet. */
  constructor(context: RestoreContext, destination: Destination, askVersion: AskVersion | null = null) {
    this.#context = context;
    this.#destination = destination;
    this.#askVersion = askVersion;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = pathOfEntry(entry.path);
    if (path === ROOT) return;
    if (path === DUMP_PATH && entry.type === 'file') await this.#inPlace(() => this.#writeDump(entry));
    else if (path === INVENTORY_PATH && entry.type === 'file') await this.#compare(entry);
    else
      this.#context.problem({
        path: displayPath(entry.path),
        code: 'unsafe',
        message: 'this is no part of a dump of Redis',
      });
  }

  async commit(): Promise<RestoreOutcome> {
    const summary = this.#summary;
    if (!summary) return { itemsWritten: 0, bytesWritten: 0, itemsSkipped: this.#isSkipped ? 1 : 0 };
    if (this.#context.isDryRun) return await this.#foresee(summary);
    const itemsWritten = await this.#inPlace(() => this.#destination.commit(summary));
    return { itemsWritten, bytesWritten: summary.bytes, itemsSkipped: 0 };
  }

  async #foresee(summary: RdbSummary): Promise<RestoreOutcome> {
    try {
      await this.#inPlace(() => this.#destination.foresee(summary));
    } catch (error) {
      if (error !== isThere) throw error;
      return { itemsWritten: 0, bytesWritten: 0, itemsSkipped: 1 };
    }
    this.#context.log('info', `Would restore ${keyTotal(summary)} key(s).`);
    return { itemsWritten: 1, bytesWritten: 0, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    await this.#destination.rollback();
  }

  /** What the file system says of the place, for people. */
  async #inPlace<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') throw error;
      const [path, reason] = [this.#destination.place, (error as Error).message];
      throw new AppError('RESTORE_TARGET_INVALID', { path, reason }, { cause: error });
    }
  }

  async #writeDump(entry: RestoreEntry): Promise<void> {
    const { isDryRun, signal } = this.#context;
    const content = await this.#askedContent(entry.content ?? (async function* () {})());
    if (!isDryRun) {
      try {
        await this.#destination.open();
      } catch (error) {
        if (error !== isThere) throw error;
        this.#isSkipped = true;
        return;
      }
    }
    const dump = scanned(content, {
      onSummary: (summary) => {
        this.#summary = summary;
      },
      failure: (error) => new AppError('DATABASE_DUMP_DAMAGED', { name: DUMP_PATH, reason: error.message }),
    });
    for await (const chunk of dump) {
      if (signal.aborted) throw new AppError('CANCELLED');
      if (!isDryRun) this.#destination.write(chunk);
      this.#context.progress({ bytes: chunk.byteLength, currentItem: DUMP_PATH });
    }
    this.#context.progress({ items: 1 });
  }

  /** Nothing of the dump has been taken, nor has anything been touched, when this throws. */
  async #askedContent(dump: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
    if (!this.#askVersion) return dump;
    const { found, content } = await peekServer(dump);
    await this.#askVersion(found ?? '');
    return content;
  }

  async #compare(entry: RestoreEntry): Promise<void> {
    const text = entry.content ? await readText(entry.content) : '';
    if (!this.#summary?.keys) return;
    const expected = parseInventory(text);
    const missing = missingObjects(expected.objects, objectsOf(this.#summary));
    if (missing.length > 0)
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: DUMP_PATH, reason: missing.join('; ') });
  }
}

const keyTotal = ({ keys }: RdbSummary): number => [...(keys?.values() ?? [])].reduce((sum, count) => sum + count, 0);

/** The file is there and may not be replaced. */
const isThere = new Error('the file is there');

/** A dump for people. */
class FileInFolder implements Destination {
  readonly place: string;
  readonly #overwrite: RestoreContext['overwrite'];
  #file: StagedFile | null = null;
  #madeFolder: string | null = null;

  constructor(target: string, overwrite: RestoreContext['overwrite']) {
    this.place = target;
    this.#overwrite = overwrite;
  }

  async foresee(): Promise<void> {
    // The content of a dump says nothing of its age, so "if newer" replaces nothing.
    if (this.#overwrite !== 'always' && statSync(this.place, { throwIfNoEntry: false })) throw isThere;
  }

  async open(): Promise<void> {
    await this.foresee();
    const folder = dirname(this.place);
    this.#madeFolder = mkdirSync(folder, { recursive: true, mode: 0o700 }) ?? null;
    this.#file = new StagedFile(this.place);
  }

  write(chunk: Uint8Array): void {
    this.#file?.write(chunk);
  }

  async commit(): Promise<number> {
    this.#file?.commit();
    return 1;
  }

  async rollback(): Promise<void> {
    this.#file?.discard();
    if (this.#madeFolder !== null) rmSync(this.#madeFolder, { recursive: true, force: true });
  }
}

/** The file that a server reads when it starts. */
class FileOfServer implements Destination {
  readonly place: string;
  readonly #options: { readonly dumpPath: string; readonly replaceExisting: boolean };
  readonly #context: RestoreContext;
  #file: StagedFile | null = null;

  constructor(options: { readonly dumpPath: string; readonly replaceExisting: boolean }, context: RestoreContext) {
    this.#options = options;
    this.#context = context;
    this.place = options.dumpPath;
  }

  async foresee(): Promise<void> {
    this.#assertUsable();
  }

  async open(): Promise<void> {
    const hasFile = this.#assertUsable();
    const { dumpPath } = this.#options;
    this.#file = new StagedFile(hasFile ? realpathSync(dumpPath) : dumpPath);
  }

  /** Answers whether there is a file. Throws DATABASE_EXISTS, DATABASE_IN_USE, RESTORE_TARGET_INVALID. */
  #assertUsable(): boolean {
    const { dumpPath, replaceExisting } = this.#options;
    const stat = statSync(dumpPath, { throwIfNoEntry: false });
    if (stat && !stat.isFile())
      throw new AppError('RESTORE_TARGET_INVALID', { path: dumpPath, reason: 'it is not a file' });
    if (stat && stat.size > 0 && !replaceExisting)
      throw new AppError('DATABASE_EXISTS', { name: dumpPath, server: 'this machine' });
    if (!statSync(dirname(dumpPath), { throwIfNoEntry: false })) {
      throw new AppError('RESTORE_TARGET_INVALID', { path: dumpPath, reason: 'its folder does not exist' });
    }
    assertNoServerIn(realpathSync(dirname(dumpPath)));
    return stat !== undefined;
  }

  write(chunk: Uint8Array): void {
    this.#file?.write(chunk);
  }

  async commit(): Promise<number> {
    const { dumpPath } = this.#options;
    assertNoServerIn(realpathSync(dirname(dumpPath)));
    const moment = systemClock.now().toISOString().replace(/\D/g, '').slice(0, 14);
    const keepAs = `${this.#file?.target}.replaced-${moment}`;
    if (this.#file?.commit(keepAs)) {
      this.#context.log('info', `What was there is kept as ${keepAs}; remove it when it is not needed any more.`);
    }
    const aof = appendOnlyFileIn(dirname(dumpPath));
    if (aof !== null) {
      const message = `${aof} is beside it: a server with "appendonly yes" reads that instead. Move it away and start the server with "appendonly no" first`;
      this.#context.problem({ path: dumpPath, code: 'inconsistent', message });
    }
    return 1;
  }

  async rollback(): Promise<void> {
    this.#file?.discard();
  }
}
