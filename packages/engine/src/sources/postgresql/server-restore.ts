/**
 * A restore into a server. Every dump goes into a scratch database first and is compared with what was saved; `commit`
 * then puts all of them in place by renaming, in one transaction, and drops what they replaced. Until then, and after
 * any failure, the present databases are as they were.
 */
import { AppError } from '@backupx/contracts/errors';
import { countObjects, missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { readText } from '../../ports/entry-content.ts';
import { tellStop } from '../../ports/restore-preview.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { isWanted } from '../../ports/wanted-paths.ts';
import { openAgreedSession } from './agreed-session.ts';
import { chooseEntries } from './choose-entries.ts';
import { type DumpInput, damaged, endsDump, StagedDump, StreamedDump } from './dump-input.ts';
import { type EntryPlace, placeOf } from './entry-paths.ts';
import { assertNotThere, type Move, moveObjects } from './move-objects.ts';
import { PsqlSession } from './psql-session.ts';
import { findDifferences, type RestoredDump, restoreDump } from './restore-dump.ts';
import { absentRoles, assertExtensions, propertyStatements, rolesOf, rolesWithSettings } from './restore-plan.ts';
import { RestoreRoles } from './restore-roles.ts';
import { lookAtTarget, type PresentDatabase } from './restore-target.ts';
import { productName } from './saved-server.ts';
import { dropLeftovers, ScratchNames, tryDrop } from './scratch-name.ts';
import { Server } from './server.ts';
import { newNameOf, type PostgresqlConfig, type RestoreOptions, serverOfRestore } from './settings.ts';
import { type Swap, swapDatabases } from './swap-databases.ts';

/** A database of the restore and where it is to be. */
interface Restored extends RestoredDump {
  readonly target: string;
  /** The database of that name; null: there is none. */
  readonly present: PresentDatabase | null;
}

const COUNT_LIMITS = { maxTableBytes: 64 * 1024 * 1024, budgetMs: 60_000 };
const STATEMENT_LIMIT_MS = 120_000;

/** See above. */
export class ServerRestore implements RestoreSession {
  readonly #server: Server;
  readonly #admin: PsqlSession;
  readonly #names: ScratchNames;
  readonly #options: RestoreOptions;
  readonly #context: RestoreContext;
  readonly #roles: RestoreRoles;
  readonly #versions: VersionQuestion;
  readonly #restored: Restored[] = [];
  /** What a restore that changes nothing would make. */
  readonly #foreseen = new Set<string>();
  /** Every database made here that has not got its name yet. */
  readonly #scratches = new Set<string>();
  /** A dump in files of which some have come. */
  #staged: StagedDump | null = null;
  #items = 0;
  #bytes = 0;

  private constructor(parts: {
    server: Server;
    admin: PsqlSession;
    names: ScratchNames;
    options: RestoreOptions;
    context: RestoreContext;
  }) {
    this.#server = parts.server;
    this.#admin = parts.admin;
    this.#names = parts.names;
    this.#options = parts.options;
    this.#context = parts.context;
    this.#versions = new VersionQuestion(productName(parts.admin.facts.version), parts.options, parts.context);
    this.#roles = new RestoreRoles(parts.context, () => openAgreedSession(parts.server, parts.context.signal));
  }

  /** Connects, and drops what killed restores left. Throws DATABASE_*. */
  static async open(
    config: PostgresqlConfig,
    options: RestoreOptions,
    context: RestoreContext,
  ): Promise<ServerRestore> {
    const settings = serverOfRestore(config, options);
    const server = await Server.open(settings, context.tempDir, context.signal);
    try {
      const admin = await PsqlSession.open(server, settings.maintenanceDatabase, context.signal);
      const names = await ScratchNames.of(admin);
      const restore = new ServerRestore({ server, admin, names, options, context });
      if (!context.isDryRun) {
        for (const name of await dropLeftovers(admin, () => restore.#openSession())) {
          context.log('info', `Dropped database "${name}", which a restore that was killed had left.`);
        }
      }
      return restore;
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** In no database that a restore renames. */
  #openSession(signal = this.#context.signal): Promise<PsqlSession> {
    const isTarget = (name: string) => this.#restored.some(({ target }) => target === name);
    const { maintenanceDatabase } = this.#server.settings;
    return PsqlSession.open(this.#server, isTarget(maintenanceDatabase) ? 'template1' : maintenanceDatabase, signal);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const place = placeOf(entry.path);
    const { paths, isDryRun } = this.#context;
    if (!place || !entry.content) return;
    if (place.item === 'globals') {
      // Also when only a database was chosen: its owners are in here.
      if (this.#options.restoreGlobals && !isDryRun) {
        this.#roles.setGlobals(await readText(entry.content));
        this.#wrote(`${this.#server.label}: roles`);
      }
      return;
    }
    // A file of a dump alone is nothing that could be restored.
    if (!isWanted(place.item === 'part' ? folderOf(entry.path) : entry.path, paths)) return;
    if (isDryRun && place.item === 'inventory') {
      const [database, { server }] = [place.database ?? '', parseInventory(await readText(entry.content))];
      await tellStop(database, this.#context, async () => this.#versions.ask(database, server));
    } else if (isDryRun) await this.#tell(place);
    else await this.#take(entry.content, place);
  }

  async #tell({ database, item, file }: EntryPlace): Promise<void> {
    const name = database ?? '';
    if (item !== 'dump' && !endsDump(file)) return;
    const target = this.#targetOf(name);
    if (this.#foreseen.has(target)) throw this.#isTaken(target);
    this.#foreseen.add(target);
    this.#wrote(name);
    await tellStop(name, this.#context, async () => {
      const present = await this.#lookAtTarget(name);
      const how = present === null ? 'which would be made' : present.isKept ? 'beside what it holds' : 'and replace it';
      this.#context.log('info', `Would restore "${name}" as "${target}", ${how}.`);
    });
  }

  #isTaken(target: string): AppError {
    const name = `Database "${target}" (restored a moment ago)`;
    return new AppError('DATABASE_EXISTS', { name, server: this.#server.label });
  }

  async #take(content: AsyncIterable<Uint8Array>, place: EntryPlace): Promise<void> {
    const database = place.database ?? '';
    if (place.item === 'inventory') {
      if (!this.#checkInventory(await readText(content), database)) return;
    } else if (place.item === 'part') await this.#takePart(content, place);
    else await this.#restore(new StreamedDump(content, database));
    this.#wrote(database);
  }

  async #takePart(content: AsyncIterable<Uint8Array>, { database, file }: EntryPlace): Promise<void> {
    const name = database ?? '';
    if (this.#staged?.database !== name) {
      this.#assertNothingBegun();
      // Who would only fail at the end should fail now.
      await this.#lookAtTarget(name);
      this.#staged = new StagedDump(this.#server, name);
    }
    const dump = this.#staged;
    await dump.take(file, content, { onBytes: (bytes) => this.#addBytes(name, bytes) });
    if (!endsDump(file)) return;
    this.#staged = null;
    try {
      await this.#restore(dump);
    } finally {
      dump.remove();
    }
  }

  #assertNothingBegun(): void {
    if (this.#staged) throw damaged(this.#staged.database, 'its table of contents (toc.dat) is missing');
  }

  #wrote(currentItem: string): void {
    this.#items += 1;
    this.#context.progress({ items: 1, currentItem });
  }

  #targetOf(database: string): string {
    return newNameOf(database, this.#options.rename);
  }

  #addBytes(currentItem: string, bytes: number): void {
    this.#bytes += bytes;
    this.#context.progress({ bytes, currentItem });
  }

  async #lookAtTarget(database: string): Promise<PresentDatabase | null> {
    const { signal } = this.#context;
    const [server, admin, options] = [this.#server, this.#admin, this.#options];
    const target = this.#targetOf(database);
    if (this.#restored.some((item) => item.target === target)) throw this.#isTaken(target);
    return await lookAtTarget(target, { server, admin, options, signal });
  }

  async #restore(dump: DumpInput): Promise<void> {
    const { database } = dump;
    const { signal } = this.#context;
    const [server, admin, options] = [this.#server, this.#admin, this.#options];
    const target = this.#targetOf(database);
    this.#assertNothingBegun();
    const present = await this.#lookAtTarget(database);
    const scratch = this.#names.next('restore');
    this.#context.log('info', `Restoring "${database}" into the scratch database "${scratch}".`);
    const restored = await restoreDump(dump, {
      ...{ server, admin, scratch, options, signal },
      prepare: async (toc) => {
        this.#versions.ask(database, productName(toc.serverVersion));
        const ids = await chooseEntries(toc, { session: admin, context: this.#context, choices: options });
        await assertExtensions(admin, toc, { label: server.label, ids });
        await this.#roles.prepare(admin, rolesOf(toc, options, ids), { server: server.label, database });
        this.#scratches.add(scratch);
        return ids;
      },
      create: (statement) => admin.run(statement, STATEMENT_LIMIT_MS),
      onBytes: (bytes) => this.#addBytes(database, bytes),
    });
    await this.#compare(restored);
    this.#restored.push({ ...restored, target, present });
  }

  async #compare(restored: RestoredDump): Promise<void> {
    const place = { server: this.#server, signal: this.#context.signal };
    const differences = await findDifferences(place, restored, COUNT_LIMITS);
    if (differences.length > 0) throw damaged(restored.database, differences.slice(0, 5).join('; '));
    this.#context.log('info', `"${restored.database}" is whole: ${countObjects(restored.objects)}.`);
  }

  /** That the inventory beside it tells of this very dump. False: the dump was not chosen, and nothing was restored. */
  #checkInventory(text: string, database: string): boolean {
    const restored = this.#restored.find((item) => item.database === database);
    if (!restored) {
      if (this.#context.paths === null) throw damaged(database, 'its dump is missing');
      return false;
    }
    const { objects, server } = parseInventory(text);
    this.#versions.ask(database, server);
    const differences = missingObjects(objects, restored.saved);
    if (differences.length > 0) throw damaged(database, differences.slice(0, 5).join('; '));
    return true;
  }

  async commit(): Promise<RestoreOutcome> {
    const outcome = { itemsWritten: this.#items, bytesWritten: this.#bytes, itemsSkipped: 0 };
    this.#assertNothingBegun();
    if (this.#context.isDryRun) {
      await this.#close();
      return outcome;
    }
    await this.#roles.applyGlobals();
    for (const restored of this.#restored) await this.#setProperties(restored);
    for (const restored of this.#restored) if (restored.present?.isKept) await this.#move(restored);
    await this.#swap(this.#restored.filter(({ present }) => !present?.isKept));
    await this.#roles.finish();
    await this.#dropScratches();
    await this.#close();
    return outcome;
  }

  async #setProperties({ toc, scratch, present }: Restored): Promise<void> {
    if (present?.isKept) return;
    const absent = await absentRoles(this.#admin, rolesWithSettings(toc));
    const statements = propertyStatements(toc, scratch, this.#options, absent);
    for (const statement of statements) await this.#admin.run(`${statement};`, STATEMENT_LIMIT_MS);
  }

  async #move({ scratch, target }: Restored): Promise<void> {
    const { signal } = this.#context;
    const [server, admin, options] = [this.#server, this.#admin, this.#options];
    const move: Move = { server, admin, scratch, target, wanted: options, options, signal };
    if (!options.replaceExisting) await assertNotThere(move);
    await moveObjects(move);
    this.#context.log('info', `Put what was chosen into database "${target}".`);
  }

  async #swap(restored: readonly Restored[]): Promise<void> {
    if (restored.length === 0) return;
    const swaps: Swap[] = restored.map(({ scratch, target, present }) => {
      return { scratch, target, old: present ? this.#names.next('old') : null };
    });
    // It may be in a database that is renamed; its names stay reserved until it is gone, and then nobody needs them.
    const isInTheWay = restored.some(({ target }) => target === this.#admin.database);
    if (isInTheWay) await this.#admin.close();
    const { signal } = this.#context;
    const open = () => this.#openSession();
    await swapDatabases(swaps, { open, endSessions: this.#options.endSessions, signal });
    for (const { scratch, target, old } of swaps) {
      this.#scratches.delete(scratch);
      if (old !== null) this.#scratches.add(old);
      this.#context.log('info', `Database "${target}" is in place.`);
    }
  }

  async #dropScratches(signal?: AbortSignal): Promise<void> {
    for (const name of this.#scratches) {
      if (await tryDrop(() => this.#openSession(signal), name)) this.#scratches.delete(name);
      else this.#context.log('warn', `Database "${name}" could not be dropped; the next restore tries again.`);
    }
  }

  async #close(): Promise<void> {
    await this.#admin.close();
    this.#server.close();
  }

  /** Also after a cancel, so with a signal of its own. */
  async rollback(): Promise<void> {
    const signal = AbortSignal.timeout(STATEMENT_LIMIT_MS);
    await this.#admin.close();
    await this.#dropScratches(signal);
    await this.#roles.rollback(() => openAgreedSession(this.#server, signal));
    this.#server.close();
  }
}

/** Path of the folder something is in. */
function folderOf(path: Uint8Array): Uint8Array {
  return path.subarray(0, path.lastIndexOf(0x2f));
}
