/** Databases of a named server that a proof makes and drops again. */
import { randomBytes } from 'node:crypto';
import type { VerifyContext } from '../../ports/source.ts';
import { MongodbConnection } from './connection.ts';
import { OWN_DATABASE } from './list-databases.ts';
import { isAbandoned, RestorePlace } from './restore-place.ts';
import type { ConnectionConfig } from './settings.ts';
import type { Tool } from './tools.ts';

/** A place to restore to, with databases in it. */
export interface Place {
  readonly connection: MongodbConnection;
  readonly tool: Tool | null;
  /** Answers the name of a database that nobody else uses. */
  take(index: number): Promise<string>;
  close(): Promise<void>;
}

/** See `OWN_DATABASE`. */
export const nameOf = (id: string, index: number): string => `backupx_verify_${id}_${index}`;

/** See above. A journal in each tells that the proof lives; what a dead one left is dropped by the next on that server. */
export class VerifyPlace implements Place {
  readonly connection: MongodbConnection;
  readonly tool: Tool | null;
  /** Dropping is not cut off when the proof is. */
  readonly #calm: MongodbConnection;
  readonly #id = randomBytes(6).toString('hex');
  readonly #taken: RestorePlace[] = [];

  private constructor(connection: MongodbConnection, tool: Tool | null) {
    this.connection = connection;
    this.tool = tool;
    this.#calm = connection.withSignal(new AbortController().signal);
  }

  /** Throws DATABASE_*. */
  static async open(target: ConnectionConfig, tool: Tool | null, context: VerifyContext): Promise<VerifyPlace> {
    const place = new VerifyPlace(await MongodbConnection.open(target, context), tool);
    try {
      await place.#dropAbandoned();
      return place;
    } catch (error) {
      await place.connection.close();
      throw error;
    }
  }

  async take(index: number): Promise<string> {
    const name = nameOf(this.#id, index);
    this.#taken.push(await RestorePlace.take(this.#calm, name, () => {}));
    return name;
  }

  async close(): Promise<void> {
    try {
      // All of them before anything can fail: one that goes on telling that it lives keeps its thread, and so the job, alive.
      for (const place of this.#taken) await place.leave();
      for (const place of this.#taken) await this.#drop(place.database);
    } finally {
      await this.connection.close();
    }
  }

  async #dropAbandoned(): Promise<void> {
    const { databases } = await this.#calm.command('admin', { listDatabases: 1, nameOnly: true });
    for (const { name } of databases as { name: string }[]) {
      if (OWN_DATABASE.test(name) && (await isAbandoned(this.#calm, name))) await this.#drop(name);
    }
  }

  async #drop(name: string): Promise<void> {
    await this.#calm.command(name, { dropDatabase: 1 }, { doing: `drop ${name}` });
  }
}
