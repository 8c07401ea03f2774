/** One database of a restore: loaded beside its target, proven there, put in its place, or taken back. */
import { AppError, toAppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, type InventoryObject, missingObjects } from '../../ports/database-inventory.ts';
import type { ArchiveInventory, CollectionMetadata } from './archive-format.ts';
import type { MongodbConnection } from './connection.ts';
import { isSystemDatabase } from './list-databases.ts';
import { loadArchive } from './load-archive.ts';
import {
  countDocuments,
  type FoundCollection,
  listAll,
  listCollections,
  listIndexes,
  objectsOfArchive,
} from './read-inventory.ts';
import { RestorePlace } from './restore-place.ts';
import type { RestoreParts } from './restore-session.ts';
import { planSwap, type SwapPlan, swapCollections, undoSwap } from './swap-collections.ts';

/** See above. */
export class LoadedDatabase {
  readonly source: string;
  readonly target: string;
  readonly #parts: RestoreParts;
  readonly #place: RestorePlace;
  /** Null: all. */
  readonly #wanted: ReadonlySet<string> | null;
  #archive: ArchiveInventory | null = null;
  /** Collections that cannot be renamed and go to their place at once; there was none of their names. */
  #direct: readonly string[] = [];
  #inventory: DatabaseInventory | null = null;
  #plan: SwapPlan | null = null;
  /** What was found good. */
  #proven: readonly FoundCollection[] = [];

  private constructor(parts: RestoreParts, place: RestorePlace, source: string) {
    this.#parts = parts;
    this.#place = place;
    this.source = source;
    this.target = place.database;
    const { collections } = parts.options;
    this.#wanted = collections.length === 0 ? null : new Set(collections);
  }

  /** Throws DATABASE_EXISTS, DATABASE_IN_USE, RESTORE_TARGET_INVALID. */
  static async open(
    parts: RestoreParts,
    { source, target }: { source: string; target: string },
  ): Promise<LoadedDatabase> {
    assertName(target);
    const { connection, context } = parts;
    // A place is cleared also when the restore is cancelled.
    const calm = connection.withSignal(new AbortController().signal);
    const place = await RestorePlace.take(calm, target, (text) => context.log('info', text));
    const loaded = new LoadedDatabase(parts, place, source);
    try {
      await loaded.assertReplaceable();
    } catch (error) {
      await loaded.close();
      throw error;
    }
    return loaded;
  }

  /** Throws DATABASE_DUMP_DAMAGED, and what the server or the program says. */
  async load(content: AsyncIterable<Uint8Array>): Promise<void> {
    const { connection, tool, context } = this.#parts;
    this.#archive = await loadArchive({
      ...{ connection, tool, content, database: this.source },
      note: (message) => context.log('warn', message),
      plan: async (collections) => {
        this.#direct = await this.#freeDirect(this.#chooseDirect(collections));
        if (this.#direct.length > 0) await this.#place.writeDirect(this.#direct);
        const prefix = this.#place.names.fresh('');
        return { target: this.target, prefix, direct: this.#direct, wanted: this.#wanted };
      },
    });
  }

  /** Throws DATABASE_DUMP_DAMAGED when the dump lacks something. */
  compare(inventory: DatabaseInventory): void {
    if (!this.#archive) return;
    this.#assertSame(inventory.objects, objectsOfArchive(this.#archive, this.source));
    this.#inventory = inventory;
  }

  /** Counts everything that was loaded. Throws DATABASE_DUMP_DAMAGED. */
  async prove(): Promise<void> {
    const { connection, context } = this.#parts;
    const archived = this.#archive ? objectsOfArchive(this.#archive, this.source) : [];
    const expected = [...archived, ...(this.#inventory?.objects ?? [])].filter((object) => this.#isWanted(object));
    const fresh = await this.#fresh();
    const nameOf = ({ name }: FoundCollection) => (this.#direct.includes(name) ? name : this.#place.names.fresh(name));
    this.#assertSame(expected, await describeCollections(connection, this.target, { collections: fresh, nameOf }));
    this.#proven = fresh;
    context.log('info', `${this.source}: restored beside its place and compared.`);
  }

  /** Throws DATABASE_EXISTS, RESTORE_TARGET_INVALID, DATABASE_IN_USE; what may be ended is ended when the swap is next. */
  async assertReplaceable(when: { readonly isSwapNext?: boolean } = {}): Promise<void> {
    await assertReplaceable(this.#parts, { database: this.target, existing: await this.#existing() }, when);
  }

  /** When it throws, `undo` has to be called. */
  async swap(): Promise<void> {
    const fresh = await this.#fresh();
    this.#assertStillThere(fresh);
    const plan = planSwap(
      fresh.filter(({ name }) => !this.#direct.includes(name)),
      await this.#existing(),
    );
    await this.#place.writePlan(plan);
    this.#plan = plan;
    await swapCollections(this.#place, this.#place.names, plan);
  }

  /** What cannot be undone now is told; it is not cleared away, and the next restore tries again. Never fails. */
  async undo(): Promise<void> {
    try {
      if (this.#plan) await undoSwap(this.#place, this.#place.names, this.#plan);
      this.#plan = null;
    } catch (error) {
      const { message } = toAppError(error);
      this.#parts.context.log('warn', `${this.target} could not be put back, the next restore tries again: ${message}`);
    }
  }

  /** From here on the restore of this database stands. */
  async writeDone(): Promise<void> {
    await this.#place.writeDone();
    this.#plan = null;
  }

  /** Drops what was made beside the target; never fails. */
  async close(): Promise<void> {
    try {
      if (this.#plan) await this.#place.leave();
      else await this.#place.clear();
    } catch (error) {
      const { message } = toAppError(error);
      this.#parts.context.log('warn', `The next restore of ${this.target} clears away what this one left: ${message}`);
    }
  }

  /** What was loaded, under its final names. */
  async #fresh(): Promise<FoundCollection[]> {
    const prefix = this.#place.names.fresh('');
    const all = await this.#place.list();
    return all.flatMap((collection) => {
      if (this.#direct.includes(collection.name)) return [collection];
      return collection.name.startsWith(prefix) ? [{ ...collection, name: collection.name.slice(prefix.length) }] : [];
    });
  }

  /** What would be replaced. */
  async #existing(): Promise<FoundCollection[]> {
    const found = await listCollections(this.#parts.connection, this.target);
    return found.filter(({ name }) => !this.#direct.includes(name) && (this.#wanted?.has(name) ?? true));
  }

  /** One that was not heard of for long is taken for dead, and what it made is cleared away by the next. */
  #assertStillThere(fresh: readonly FoundCollection[]): void {
    const there = new Set(fresh.map(({ name }) => name));
    if (this.#proven.every(({ name }) => there.has(name))) return;
    const sessions = 'another restore, which took this one for dead and cleared away what it had loaded';
    throw new AppError('DATABASE_IN_USE', { name: `database ${this.target}`, sessions });
  }

  /** What stands where they would go is not ours to clear away. Throws RESTORE_TARGET_INVALID. */
  async #freeDirect(direct: readonly string[]): Promise<readonly string[]> {
    if (direct.length === 0) return direct;
    const there = new Set((await listAll(this.#parts.connection, this.target)).map(({ name }) => name));
    const taken = direct.find((name) => there.has(name));
    if (taken === undefined) return direct;
    const reason = `${taken} of the backup cannot be loaded under another name, and there is one of its name: drop that first, or restore under another name`;
    throw new AppError('RESTORE_TARGET_INVALID', { path: this.target, reason });
  }

  #chooseDirect(collections: readonly CollectionMetadata[]): string[] {
    const wanted = collections.filter(({ collection }) => this.#wanted?.has(collection) ?? true);
    if (this.#wanted && wanted.length < this.#wanted.size) {
      const gone = [...this.#wanted].filter((name) => !wanted.some(({ collection }) => collection === name));
      throw new AppError('RESTORE_TARGET_INVALID', {
        path: this.source,
        reason: `the backup has no collection ${gone.join(', ')}`,
      });
    }
    return wanted
      .filter(({ collection, type }) => isFixed({ name: collection, kind: type }))
      .map((one) => one.collection);
  }

  #isWanted({ kind, name }: InventoryObject): boolean {
    if (this.#wanted === null) return true;
    // An index is named after its collection, and a space is no end of a name.
    return kind === 'index'
      ? [...this.#wanted].some((collection) => name.startsWith(`${collection} `))
      : this.#wanted.has(name);
  }

  #assertSame(expected: readonly InventoryObject[], found: readonly InventoryObject[]): void {
    // Archive and inventory may miss the same.
    const missing = [...new Set(missingObjects(expected, found))];
    if (missing.length === 0) return;
    const reason = `${missing.slice(0, 5).join('; ')}${missing.length > 5 ? `; and ${missing.length - 5} more` : ''}`;
    throw new AppError('DATABASE_DUMP_DAMAGED', { name: this.source, reason });
  }
}

/** MongoDB renames neither time series nor collections of its own. */
const isFixed = ({ name, kind }: Pick<FoundCollection, 'name' | 'kind'>): boolean =>
  kind === 'timeseries' || name.startsWith('system.');

/** `existing`: what would be replaced. Throws DATABASE_EXISTS, RESTORE_TARGET_INVALID, DATABASE_IN_USE. */
export async function assertReplaceable(
  { connection, options, others }: Pick<RestoreParts, 'connection' | 'options' | 'others'>,
  { database: target, existing }: { readonly database: string; readonly existing: readonly FoundCollection[] },
  when: { readonly isSwapNext?: boolean } = {},
): Promise<void> {
  const [first] = existing;
  if (!first) return;
  if (!options.replaceExisting) {
    const what = options.collections.length > 0 ? `collection ${target}.${first.name}` : `database ${target}`;
    throw new AppError('DATABASE_EXISTS', { name: what, server: connection.address });
  }
  assertMovable(target, existing);
  const isPart = options.collections.length > 0;
  const collections = isPart ? new Set(existing.map(({ name }) => name)) : null;
  await others.assertGone({ database: target, collections }, when);
}

function assertMovable(target: string, existing: readonly FoundCollection[]): void {
  const fixed = existing.find((collection) => isFixed(collection));
  if (!fixed) return;
  const reason = `${fixed.name} is a ${fixed.kind === 'timeseries' ? 'time series' : 'collection of the server'}, which cannot be moved aside: drop it first, or restore under another name`;
  throw new AppError('RESTORE_TARGET_INVALID', { path: target, reason });
}

/** Throws RESTORE_TARGET_INVALID for what cannot be the name of a database that is restored. */
export function assertName(database: string): void {
  const invalid = (reason: string) => new AppError('RESTORE_TARGET_INVALID', { path: database, reason });
  if (isSystemDatabase(database)) throw invalid('it belongs to the server itself');
  if (/[/\\. "$\0]/.test(database) || database === '') throw invalid('it is no name of a database');
  if (Buffer.byteLength(database) > 63) throw invalid('a name of a database has at most 63 bytes');
}

export const nameTwice = (database: string): AppError =>
  new AppError('RESTORE_TARGET_INVALID', { path: database, reason: 'two databases would get this name' });

/** Collections as an inventory has them, with documents counted; `nameOf`: what each is called at present. */
export async function describeCollections(
  connection: MongodbConnection,
  database: string,
  {
    collections,
    nameOf,
  }: { readonly collections: readonly FoundCollection[]; nameOf(collection: FoundCollection): string },
): Promise<InventoryObject[]> {
  const objects: InventoryObject[] = [];
  for (const collection of collections) {
    const { kind, name } = collection;
    const present = nameOf(collection);
    if (kind === 'collection') objects.push({ kind, name, rows: await countDocuments(connection, database, present) });
    else objects.push({ kind, name });
    if (kind === 'view') continue;
    const indexes = await listIndexes(connection, database, present);
    objects.push(...indexes.map((index) => ({ kind: 'index', name: `${name} ${index}` })));
  }
  return objects;
}
