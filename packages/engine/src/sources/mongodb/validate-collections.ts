/** The server's own check of what it has written. */
import { AppError } from '@backupx/contracts/errors';
import { MongoServerError } from 'mongodb';
import type { MongodbConnection } from './connection.ts';
import type { FoundCollection } from './read-inventory.ts';

const LIMIT_MS = 6 * 60 * 60 * 1000;
/**
 * Unauthorized, CommandNotFound, CommandNotSupported, CommandNotSupportedOnView, NotImplemented, and InternalError, which
 * FerretDB answers for what it cannot measure: they say nothing of the data.
 */
const REFUSALS = new Set([13, 59, 115, 166, 238, 1]);

export interface Validation {
  /** So many were looked through. */
  readonly count: number;
  /** What is wrong, with the collection it is wrong in. */
  readonly bad: readonly string[];
  /** Why the others were not; null: all were. */
  readonly refusal: string | null;
}

/** Looks through documents and indexes of each collection, which nobody else may use meanwhile. Throws DATABASE_*. */
export async function validateCollections(
  connection: MongodbConnection,
  database: string,
  collections: readonly FoundCollection[],
): Promise<Validation> {
  const bad: string[] = [];
  let [count, refusal]: [number, string | null] = [0, null];
  for (const { name, kind } of collections) {
    if (kind === 'view') continue;
    const answer = await validate(connection, database, name);
    if (answer instanceof AppError) refusal ??= answer.message;
    else {
      count += 1;
      bad.push(...answer.map((error) => `${name}: ${error}`));
    }
  }
  return { count, bad, refusal };
}

/** Answers what is wrong with one; why it was not looked through. */
async function validate(connection: MongodbConnection, database: string, name: string): Promise<string[] | AppError> {
  try {
    const options = { doing: 'validate collections', timeoutMs: LIMIT_MS };
    const { valid, errors } = await connection.command(database, { validate: name, full: true }, options);
    if (valid === true) return [];
    const told = Array.isArray(errors) ? errors.map(String) : [];
    return told.length > 0 ? told : ['the server finds it damaged'];
  } catch (error) {
    const isRefusal =
      error instanceof AppError && error.cause instanceof MongoServerError && REFUSALS.has(Number(error.cause.code));
    if (!isRefusal) throw error;
    return error;
  }
}
