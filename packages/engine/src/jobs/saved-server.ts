/**
 * Which server an artifact comes from. All databases of one are of the same, so the first that says it will do: the
 * inventory of one, or the first bytes of its dump, since in an archive the inventory comes behind the dump.
 */
import { AppError } from '@backupx/contracts/errors';
import type { StoredArtifact } from '@backupx/contracts/jobs';
import { parseInventory } from '../ports/database-inventory.ts';
import { readText } from '../ports/entry-content.ts';
import type { RestoreEntry, SourceDriver } from '../ports/source.ts';
import type { Storage } from '../ports/storage.ts';
import { openArtifact } from './open-artifact.ts';

/** The name it has in the folder of a database, or ends with beside a file. */
const INVENTORY = 'inventory.json';
export const isInventory = (path: string): boolean => path.endsWith(INVENTORY);

/** Somebody waits for the answer. */
const MAX_MS = 15_000;
const MAX_STORED_BYTES = 64 * 1024 * 1024;

/** Reads the beginning of an archive. Null: unknown, whatever the reason. Throws CANCELLED. */
export async function serverOfArchive(
  storage: Storage,
  artifact: StoredArtifact,
  { driver, signal }: { readonly driver: Pick<SourceDriver, 'savedServer'>; readonly signal: AbortSignal },
): Promise<string | null> {
  if (!driver.savedServer) return null;
  return await orUnknown(signal, async (limited) => {
    // Also within an entry: what says it may lie behind a large one.
    const range = { start: 0, end: MAX_STORED_BYTES };
    const beginning: Pick<Storage, 'get'> = { get: (key, options) => storage.get(key, { ...options, range }) };
    const opened = openArtifact(beginning, artifact, { signal: limited });
    for await (const entry of opened.entries) {
      const server = await serverOfEntry(entry, driver);
      if (server !== null) return server;
    }
    return null;
  });
}

async function serverOfEntry(entry: RestoreEntry, driver: Pick<SourceDriver, 'savedServer'>): Promise<string | null> {
  if (!entry.content) return null;
  if (isInventory(Buffer.from(entry.path).toString('utf8')))
    return parseInventory(await readText(entry.content)).server;
  return (await driver.savedServer?.(entry)) ?? null;
}

/** What cannot be read now is told when it is restored. Answers null then. Throws CANCELLED. */
export async function orUnknown(
  signal: AbortSignal,
  read: (limited: AbortSignal) => Promise<string | null>,
): Promise<string | null> {
  try {
    return (await read(AbortSignal.any([signal, AbortSignal.timeout(MAX_MS)]))) || null;
  } catch (error) {
    if (signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
    return null;
  }
}
