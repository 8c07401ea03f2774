/**
 * A restore into a data directory. Everything is written beside its place, compared with the server's own list of files
 * and looked at by pg_verifybackup; only then it takes the place, and what it replaces goes last. No server is started.
 */
import { AppError } from '@backupx/contracts/errors';
import type { DatabaseInventory } from '../../../ports/database-inventory.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../../ports/source.ts';
import type { Programs } from '../programs.ts';
import { endOf, listDifferences, parseLsn } from './backup-manifest.ts';
import { ClusterContent } from './cluster-content.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { writeConfiguration } from './config-files.ts';
import { MANIFEST, ROOT } from './entry-paths.ts';
import { findOwner } from './find-owner.ts';
import { leaveAside, type PlannedSwap, wordsOfKept, writeJournal } from './interrupted-swap.ts';
import { placeTablespaces } from './place-tablespaces.ts';
import { placesToKeep } from './places-to-keep.ts';
import { GUIDE, recoveryGuide } from './recovery-guide.ts';
import {
  assertReachable,
  assertTarget,
  isArchiveRecovery,
  recoveryConfig,
  subscriptionStatement,
} from './recovery-settings.ts';
import { programsOfMajor, runVerifyBackup } from './run-verify-backup.ts';
import type { RestoreOptions } from './settings.ts';
import { settleLeftovers } from './settle-leftovers.ts';
import { contentOf, StagedFolder } from './staged-folder.ts';
import { formatTablespaceMap, type Tablespace } from './tablespace-map.ts';
import { assertDataFolderFree, assertTablespaceFree } from './target-folder.ts';

type Owner = Awaited<ReturnType<typeof findOwner>>;

const AUTO_CONFIG = 'postgresql.auto.conf';
const TABLESPACE_MAP = 'tablespace_map';

/** See above. */
export class ClusterRestore implements RestoreSession {
  readonly #options: RestoreOptions;
  readonly #context: RestoreContext;
  readonly #owner: Owner;
  readonly #data: StagedFolder;
  readonly #writer: ClusterWriter;
  readonly #content: ClusterContent;
  readonly #tablespaces = new Map<string, StagedFolder>();
  #hasLooked = false;
  #skipped = 0;

  private constructor(options: RestoreOptions, context: RestoreContext, owner: Owner) {
    this.#options = options;
    this.#context = context;
    this.#owner = owner;
    this.#data = inPlace(options.dataFolder, () => new StagedFolder(options.dataFolder, owner?.user ?? null));
    this.#writer = new ClusterWriter({
      ...{ folder: this.#data.scratch, owner: owner?.user ?? null, signal: context.signal },
      tablespaceFolder: (oid) => this.#openTablespace(oid),
      onBytes: (bytes) => context.progress({ bytes }),
    });
    this.#content = new ClusterContent(this.#writer);
  }

  /** Looks at what is there. Throws RESTORE_TARGET_INVALID, INVALID_INPUT, DATABASE_EXISTS, DATABASE_IN_USE. */
  static async open(options: RestoreOptions, context: RestoreContext): Promise<RestoreSession> {
    if (context.paths !== null) {
      const hint = 'Restore all of it, or choose files into a folder.';
      throw new AppError('NOT_SUPPORTED', { what: 'Restoring a part of a physical backup', hint });
    }
    if (options.dataFolder === '') {
      const message = 'Name the data directory to restore into; a running server is never touched.';
      throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'options.dataFolder', code: 'required', message }] });
    }
    assertTarget(options);
    const owner = await findOwner(options.owner, context.signal);
    const { dataFolder, replaceExisting: mayReplace } = options;
    inPlace(dataFolder, () => {
      settleLeftovers(dataFolder, context);
      assertDataFolderFree(dataFolder, { mayReplace });
    });
    return context.isDryRun ? new DryRun(options, context) : new ClusterRestore(options, context, owner);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = Buffer.from(entry.path).toString('utf8');
    if (entry.type === 'file') this.#context.progress({ items: 1, currentItem: path });
    const isTaken = await inPlace(this.#options.dataFolder, () => this.#content.take(entry));
    if (!isTaken) {
      this.#skipped += 1;
      this.#context.problem({ path, code: 'unsafe', message: 'this is no part of a physical backup' });
    }
    this.#lookAtLabel();
    if (path.endsWith(TABLESPACE_MAP)) this.#locations();
  }

  /** The first file of a backup says when it began: who would only fail at the end should fail now. */
  #lookAtLabel(): void {
    const label = this.#content.textOf('backup_label');
    if (this.#hasLooked || label === '') return;
    this.#hasLooked = true;
    const lsn = parseLsn(/^START WAL LOCATION: ([0-9A-F/]+)/m.exec(label)?.[1] ?? '0/0');
    // With the name of the server's zone, which need not be known here.
    const notBefore = /^START TIME: (.*) (?:UTC|GMT)$/m.exec(label)?.[1] ?? '';
    assertReachable(this.#options, { notBefore: notBefore && `${notBefore.replace(' ', 'T')}Z`, lsn, what: 'began' });
  }

  #locations(): Tablespace[] {
    return placeTablespaces(this.#content.textOf(TABLESPACE_MAP), this.#options);
  }

  #openTablespace(oid: string): string {
    const found = this.#locations().find((tablespace) => tablespace.oid === oid);
    if (!found) throw damaged(`its list of tablespaces does not name ${oid}`);
    return inPlace(found.location, () => {
      assertPlaceFree(found.location, this.#content, this.#options);
      const staged = new StagedFolder(found.location, this.#owner?.user ?? null);
      this.#tablespaces.set(oid, staged);
      return staged.scratch;
    });
  }

  async commit(): Promise<RestoreOutcome> {
    const inventory = assertRestorable(this.#content, this.#options);
    const { count, totalBytes } = this.#content.sums;
    this.#context.log('info', `${count} files are those of the server's list, with all of their WAL.`);
    await inPlace(this.#options.dataFolder, () => this.#finishFiles(inventory));
    inPlace(this.#options.dataFolder, () => this.#putInPlace());
    return { itemsWritten: count, bytesWritten: totalBytes, itemsSkipped: this.#skipped };
  }

  async #finishFiles(inventory: DatabaseInventory): Promise<void> {
    const [writer, content, options] = [this.#writer, this.#content, this.#options];
    const { signal, log } = this.#context;
    writer.text(MANIFEST, content.manifestText ?? '');
    writer.markWalArchived();
    writer.linkTablespaces((oid) => this.#tablespaces.get(oid)?.scratch ?? '');
    const major = content.textOf('PG_VERSION').trim();
    const programs = await programsOfMajor(Number(major), options.programFolder, signal);
    const { hasRun, failure } = await runVerifyBackup(this.#data.scratch, programs, signal);
    if (failure !== null) throw damaged(`pg_verifybackup: ${failure}`);
    log('info', hasRun ? 'pg_verifybackup found nothing wrong.' : `pg_verifybackup ${major} is not installed here.`);
    const locations = this.#locations();
    writer.linkTablespaces((oid) => locations.find((tablespace) => tablespace.oid === oid)?.location ?? '');
    if (locations.length > 0) writer.text(TABLESPACE_MAP, formatTablespaceMap(locations));
    const configuration = writeConfiguration(writer, content.configs, inventory.details);
    const settings = writer.read(AUTO_CONFIG);
    writer.text(AUTO_CONFIG, recoveryConfig(settings, options));
    writer.removeSignals();
    if (isArchiveRecovery(options)) writer.text('recovery.signal', '');
    const subscriptions = subscriptionStatement(settings);
    this.#writeGuide({ inventory, locations, configuration, subscriptions, programs });
    writer.sync();
  }

  #writeGuide(parts: {
    inventory: DatabaseInventory;
    locations: readonly Tablespace[];
    configuration: string;
    subscriptions: string;
    programs: Programs | null;
  }): void {
    const { inventory, locations: tablespaces, configuration, subscriptions, programs } = parts;
    const major = this.#content.textOf('PG_VERSION').trim();
    const guide = recoveryGuide({
      ...{ major, options: this.#options, details: inventory.details, tablespaces, configuration, subscriptions },
      dataFolder: this.#options.dataFolder,
      owner: this.#owner?.name ?? null,
      programFolder: programs?.folder ?? `/usr/lib/postgresql/${major}/bin`,
    });
    this.#writer.text(GUIDE, guide);
    for (const line of guide.split('\n')) if (line !== '') this.#context.log('info', line);
  }

  #putInPlace(): void {
    const { dataFolder, replaceExisting: mayReplace } = this.#options;
    // Somebody may have started a server there meanwhile.
    assertDataFolderFree(dataFolder, { mayReplace });
    this.#data.assertAlone();
    const plans = this.#plans();
    writeJournal(plans);
    // Of two that begin at the same moment at least one sees the other.
    this.#data.assertAlone();
    const isReplaced = (name: string) => name !== 'lost+found';
    // No server may start with tablespaces of another time.
    this.#data.setAside(isReplaced);
    for (const staged of this.#tablespaces.values()) {
      const own = new Set(staged.names());
      staged.commit(0o700, (name) => own.has(name));
    }
    this.#data.commit(this.#writer.mode, isReplaced);
    const all = [this.#data, ...this.#tablespaces.values()];
    // From here on all of it is new: what cannot be removed must not take a part of it back.
    for (const staged of all) staged.keep();
    this.#leaveReplaced(plans);
  }

  #plans(): PlannedSwap[] {
    const { keepReplaced, dataFolder } = this.#options;
    const place = keepReplaced && contentOf(dataFolder).length > 0 ? placesToKeep(dataFolder) : null;
    const all = [this.#data, ...this.#tablespaces.values()];
    return all.map((staged) => staged.plan(place?.(staged.target)));
  }

  #leaveReplaced(plans: readonly PlannedSwap[]): void {
    try {
      for (const path of leaveAside(plans)) this.#context.log('info', wordsOfKept(path));
    } catch (error) {
      const message = `what was replaced stays: ${(error as Error).message}`;
      this.#context.problem({ path: this.#options.dataFolder, code: 'write_failed', message });
    }
  }

  async rollback(): Promise<void> {
    const all = [this.#data, ...this.#tablespaces.values()];
    // The data directory goes first and comes last.
    for (const staged of all) staged.withdraw();
    for (const staged of all.toReversed()) staged.takeBack();
    // That of the data directory has the journal, which must not be there any more when the others go.
    for (const staged of all) staged.discard();
  }
}

/** Nothing is written. */
class DryRun implements RestoreSession {
  readonly #options: RestoreOptions;
  readonly #context: RestoreContext;
  readonly #content = new ClusterContent(null);

  constructor(options: RestoreOptions, context: RestoreContext) {
    this.#options = options;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    await this.#content.take(entry);
    if (entry.type === 'file') this.#context.progress({ items: 1 });
  }

  async commit(): Promise<RestoreOutcome> {
    const [content, options] = [this.#content, this.#options];
    assertRestorable(content, options);
    for (const { location } of placeTablespaces(content.textOf(TABLESPACE_MAP), options))
      inPlace(location, () => assertPlaceFree(location, content, options));
    const { count, totalBytes } = content.sums;
    this.#context.log('info', `Would write ${count} files with ${totalBytes} bytes to ${options.dataFolder}.`);
    return { itemsWritten: count, bytesWritten: totalBytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    // There is nothing.
  }
}

/** That it is whole and can be restored as it is wanted. Throws DATABASE_DUMP_DAMAGED, INVALID_INPUT. */
function assertRestorable(content: ClusterContent, options: RestoreOptions): DatabaseInventory {
  const manifest = content.manifest();
  const damage = content.findDamage(manifest);
  if (damage.length > 0) throw damaged(listDifferences(damage));
  const { inventory } = content;
  if (!inventory) throw damaged('inventory.json is missing');
  const { endedAt = '' } = inventory.details;
  assertReachable(options, { notBefore: endedAt, lsn: endOf(manifest), what: 'ended' });
  placeTablespaces(content.textOf(TABLESPACE_MAP), options);
  return inventory;
}

function assertPlaceFree(location: string, content: ClusterContent, options: RestoreOptions): void {
  const { dataFolder, replaceExisting: mayReplace } = options;
  assertTablespaceFree(location, { major: content.textOf('PG_VERSION').trim(), dataFolder, mayReplace });
}

/** Throws what the file system says of a place as RESTORE_TARGET_INVALID. */
function inPlace<T>(path: string, act: () => T): T {
  const translate = (error: unknown) => {
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (error instanceof AppError || typeof syscall !== 'string') return error;
    return new AppError('RESTORE_TARGET_INVALID', { path, reason: message }, { cause: error });
  };
  try {
    const result = act();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw translate(error);
    }) as T;
  } catch (error) {
    throw translate(error);
  }
}

function damaged(reason: string): AppError {
  return new AppError('DATABASE_DUMP_DAMAGED', { name: ROOT, reason });
}
