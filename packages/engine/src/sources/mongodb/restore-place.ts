/**
 * Where a restore works on the server: in the database it restores, under names of its own (`scratch-names.ts`). A
 * journal tells how far it came, and that it lives: what a dead one left is undone by the next restore of that database,
 * from any machine.
 */
import { AppError, toAppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { MongodbConnection } from './connection.ts';
import { type FoundCollection, listAll } from './read-inventory.ts';
import { OWN_COLLECTION, ScratchNames } from './scratch-names.ts';
import { type CollectionPlace, type SwapPlan, undoSwap } from './swap-collections.ts';

const BEAT_MS = 15_000;
/** Of the server's clock. A restore that has not been heard of for so long is dead. */
const DEAD_AFTER_MS = 120_000;

interface JournalEntry {
  readonly beatAt: Date;
  readonly state: 'loading' | 'swapping' | 'done';
  readonly plan?: SwapPlan;
  /** Collections that were loaded under their own names. */
  readonly direct?: readonly string[];
}

const ENTRY = { _id: 'restore' as never };

/** A database as a restore works in it. */
export class RestorePlace implements CollectionPlace {
  readonly database: string;
  readonly names: ScratchNames;
  readonly #connection: MongodbConnection;
  readonly #stop = new AbortController();
  #beating: Promise<void> = Promise.resolve();

  private constructor(connection: MongodbConnection, database: string, names: ScratchNames) {
    this.#connection = connection;
    this.database = database;
    this.names = names;
  }

  /** Takes it, after what dead restores left there was undone. Throws DATABASE_IN_USE, and what the server says. */
  static async take(
    connection: MongodbConnection,
    database: string,
    log: (text: string) => void,
  ): Promise<RestorePlace> {
    await sweep(connection, database, log);
    const place = new RestorePlace(connection, database, new ScratchNames());
    await place.#write({ state: 'loading' });
    // Two that began in the same moment have not seen each other before.
    try {
      for (const id of await othersIn(connection, database, place.names)) await assertDead(connection, database, id);
    } catch (error) {
      await place.clear();
      throw error;
    }
    place.#beating = place.#beat();
    return place;
  }

  static of(connection: MongodbConnection, database: string, id: string): RestorePlace {
    return new RestorePlace(connection, database, new ScratchNames(id));
  }

  async read(): Promise<JournalEntry | null> {
    const found = await this.#attempt(() => this.#journal.findOne(ENTRY));
    return found as unknown as JournalEntry | null;
  }

  /** Written before any of it is done. */
  async writePlan(plan: SwapPlan): Promise<void> {
    await this.#write({ state: 'swapping', plan });
  }

  async writeDirect(direct: readonly string[]): Promise<void> {
    await this.#write({ direct });
  }

  async writeDone(): Promise<void> {
    await this.#write({ state: 'done' });
  }

  list(): Promise<FoundCollection[]> {
    return listAll(this.#connection, this.database);
  }

  async rename(from: string, to: string): Promise<void> {
    const command = { renameCollection: `${this.database}.${from}`, to: `${this.database}.${to}` };
    await this.#connection.command('admin', command, { doing: `rename collections of ${this.database}` });
  }

  async drop(name: string): Promise<void> {
    await this.#attempt(() => this.#db.dropCollection(name));
  }

  async createView(name: string, options: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#connection.command(this.database, { create: name, ...options }, { doing: 'create views' });
  }

  /** Says no more that the restore lives. What it made stays, for the next one to undo. */
  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#beating;
  }

  /** Drops what the restore made beside its targets, the journal last; a database with nothing in it too. */
  async clear(): Promise<void> {
    await this.leave();
    const { journal } = this.names;
    const entry = await this.read();
    const direct = new Set(entry?.state === 'done' ? [] : (entry?.direct ?? []));
    const all = await this.list();
    const mine = ({ name }: FoundCollection) => OWN_COLLECTION.exec(name)?.[1] === this.names.id || direct.has(name);
    for (const { name } of all.filter(mine)) await this.drop(name);
    await this.drop(journal);
    const left = await this.list();
    // Where views are listed; it stays behind when there are none.
    if (left.every(({ name }) => name === 'system.views')) await this.#attempt(() => this.#db.dropDatabase());
  }

  get #db() {
    return this.#connection.client.db(this.database);
  }

  get #journal() {
    return this.#db.collection(this.names.journal);
  }

  async #write(more: Partial<JournalEntry>): Promise<void> {
    const beatAt = await serverTime(this.#connection);
    await this.#attempt(() => this.#journal.updateOne(ENTRY, { $set: { beatAt, ...more } }, { upsert: true }));
  }

  async #beat(): Promise<void> {
    for (;;) {
      try {
        await systemClock.sleep(BEAT_MS, this.#stop.signal);
      } catch {
        return;
      }
      // One that is late is no reason to give up.
      await this.#write({}).catch(() => {});
    }
  }

  #attempt<T>(act: () => Promise<T>): Promise<T> {
    return this.#connection.attempt(`restore ${this.database}`, act);
  }
}

async function serverTime(connection: MongodbConnection): Promise<Date> {
  const { localTime } = await connection.command('admin', { hello: 1 });
  return localTime instanceof Date ? localTime : systemClock.now();
}

/** Restores that have a journal there, by their ids. */
async function othersIn(connection: MongodbConnection, database: string, own?: ScratchNames): Promise<string[]> {
  const ids = (await listAll(connection, database)).map(({ name }) => OWN_COLLECTION.exec(name)?.[2]);
  return ids.filter((id) => id !== undefined && id !== own?.id) as string[];
}

/** Answers its journal. Throws DATABASE_IN_USE. */
async function assertDead(connection: MongodbConnection, database: string, id: string): Promise<JournalEntry | null> {
  const entry = await RestorePlace.of(connection, database, id).read();
  const now = await serverTime(connection);
  if (!entry || now.getTime() - entry.beatAt.getTime() >= DEAD_AFTER_MS) return entry;
  throw new AppError('DATABASE_IN_USE', { name: `database ${database}`, sessions: `another restore (${id})` });
}

/** True when whatever worked in a database of ours does not live any more. */
export async function isAbandoned(connection: MongodbConnection, database: string): Promise<boolean> {
  try {
    for (const id of await othersIn(connection, database)) await assertDead(connection, database, id);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'DATABASE_IN_USE') return false;
    throw error;
  }
}

/** One that cannot be undone stays for people to look at. */
async function sweep(connection: MongodbConnection, database: string, log: (text: string) => void): Promise<void> {
  for (const id of await othersIn(connection, database)) {
    const place = RestorePlace.of(connection, database, id);
    const entry = await assertDead(connection, database, id);
    try {
      if (entry?.state === 'swapping' && entry.plan) await undoSwap(place, place.names, entry.plan);
      await place.clear();
      log(`What the broken restore ${id} left in ${database} was ${entry?.state === 'done' ? 'removed' : 'undone'}.`);
    } catch (error) {
      log(`What the broken restore ${id} left in ${database} could not be undone: ${toAppError(error).message}`);
    }
  }
}
