/**
 * Proves that an artifact can be restored. Quick: the format of every dump is read to its end, and what is in it, rows
 * included, is what its inventory says. Deep: every dump is also restored into a scratch server and looked at there.
 */
import { AppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { countObjects, type InventoryObject, missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { readText } from '../../ports/entry-content.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../ports/source.ts';
import { ArchiveScanner, scanned } from './archive-scanner.ts';
import { damaged, endsDump, type StagedDump, StreamedDump } from './dump-input.ts';
import { dumpObjects } from './dump-inventory.ts';
import { type EntryPlace, placeOf } from './entry-paths.ts';
import { FolderScanner } from './folder-scanner.ts';
import { rolesInGlobals } from './globals.ts';
import { type PostgresqlConfig, restoreSchema } from './settings.ts';
import { tellsOfNoRoom } from './staging-space.ts';
import { TrialRestore } from './trial-restore.ts';

const MAX_TOLD = 5;

/** Throws what keeps it from beginning: DATABASE_TOOL_MISSING, DATABASE_* of the server that was named. */
export async function openVerifier(config: PostgresqlConfig, context: VerifyContext): Promise<Verifier> {
  const trial =
    context.depth === 'deep' ? new TrialRestore(config, restoreSchema.parse(context.options), context) : null;
  return new DumpVerifier(trial);
}

class DumpVerifier implements Verifier {
  readonly #trial: TrialRestore | null;
  readonly #checks: VerifyCheck[] = [];
  /** What each dump has, until its inventory comes. */
  readonly #objects = new Map<string, readonly InventoryObject[]>();
  /** Dumps of which something is wrong. */
  readonly #failed = new Set<string>();
  /** A dump in files of which some have come. */
  #parts: PartialDump | null = null;

  constructor(trial: TrialRestore | null) {
    this.#trial = trial;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const place = placeOf(entry.path);
    if (!place || !entry.content) return;
    if (place.item === 'globals') this.#checkGlobals(await readText(entry.content));
    else if (place.item === 'dump') await this.#checkDump(entry.content, place.database ?? '');
    else if (place.item === 'part') await this.#checkPart(entry.content, place);
    else this.#checkInventory(await readText(entry.content), place.database ?? '');
  }

  #add(subject: string, name: VerifyCheck['name'], differences: readonly string[], proven: string): void {
    const more = differences.length > MAX_TOLD ? `; and ${differences.length - MAX_TOLD} more` : '';
    const detail = differences.length === 0 ? proven : differences.slice(0, MAX_TOLD).join('; ') + more;
    this.#checks.push({ subject, name, ok: differences.length === 0, detail });
  }

  #checkGlobals(text: string): void {
    const isWhole = text.includes('-- PostgreSQL database cluster dump complete');
    const roles = `${rolesInGlobals(text).length} role(s)`;
    this.#add('globals.sql', 'structure', isWhole ? [] : ['its last line is missing'], roles);
  }

  async #checkDump(content: AsyncIterable<Uint8Array>, database: string): Promise<void> {
    this.#endParts();
    const trial = this.#trial;
    await this.#judge(database, content, async (shared) => {
      return trial ? await trial.run(new StreamedDump(shared, database)) : await scan(shared, database);
    });
  }

  /** The last file decides; what is wrong with an earlier one is told then. */
  async #checkPart(content: AsyncIterable<Uint8Array>, { database, file }: EntryPlace): Promise<void> {
    const name = database ?? '';
    const trial = this.#trial;
    if (this.#parts?.database !== name) {
      this.#endParts();
      const staged = trial ? await trial.stage(name) : null;
      const scanner = staged?.counts ?? new FolderScanner((reason) => damaged(name, reason));
      this.#parts = { database: name, staged, scanner };
    }
    const { staged, scanner } = this.#parts;
    if (this.#failed.has(name)) return;
    await this.#judge(name, content, async (shared) => {
      if (staged) await staged.take(file, shared, { onBytes() {} });
      else for await (const _ of scanner.taking(file, shared));
      if (!endsDump(file)) return null;
      const objects = trial && staged ? await trial.run(staged) : dumpObjects(scanner.end(), scanner);
      this.#parts = null;
      staged?.remove();
      return objects;
    });
  }

  /** A dump in files that is followed by something else lacks its contents. */
  #endParts(): void {
    const parts = this.#parts;
    this.#parts = null;
    parts?.staged?.remove();
    if (parts && !this.#failed.has(parts.database))
      this.#fail(parts.database, 'structure', 'its table of contents is missing');
  }

  /** `look` answers what the dump has, null while it goes on. */
  async #judge(
    database: string,
    content: AsyncIterable<Uint8Array>,
    look: (content: AsyncIterable<Uint8Array>) => Promise<readonly InventoryObject[] | null>,
  ): Promise<void> {
    const bytes = content[Symbol.asyncIterator]();
    // Given up in the middle it must still be read to its end.
    const shared: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }) };
    try {
      const objects = await look(shared);
      if (objects) {
        this.#objects.set(database, objects);
        this.#add(database, 'structure', [], countObjects(objects));
        if (this.#trial) this.#addTrial(database, this.#trial);
      }
    } catch (error) {
      if (!(error instanceof AppError) || !isAboutTheDump(error)) throw error;
      this.#fail(database, error.code === 'DATABASE_DUMP_DAMAGED' ? 'structure' : 'restore', error.message);
    }
    for await (const _ of shared);
  }

  #fail(database: string, name: VerifyCheck['name'], message: string): void {
    this.#failed.add(database);
    this.#add(database, name, [message], '');
  }

  #addTrial(database: string, { outcome }: TrialRestore): void {
    const { differences, rowsCounted, engineFailure, hasEngineCheck, place } = outcome;
    this.#add(database, 'restore', [], place);
    this.#add(
      database,
      'inventory',
      differences.filter((text) => text.endsWith(' is missing')),
      'every object is there',
    );
    const rows = differences.filter((text) => !text.endsWith(' is missing'));
    this.#add(database, 'rows', rows, `the rows of ${rowsCounted} table(s) were counted`);
    if (hasEngineCheck)
      this.#add(database, 'engine', engineFailure === null ? [] : [engineFailure], 'pg_amcheck found nothing');
  }

  #checkInventory(text: string, database: string): void {
    this.#endParts();
    const objects = this.#objects.get(database);
    if (!objects) {
      if (!this.#failed.has(database)) this.#fail(database, 'structure', 'its dump is missing');
      return;
    }
    const expected = parseInventory(text).objects;
    this.#add(database, 'inventory', missingObjects(expected, objects), `as saved: ${countObjects(expected)}`);
    this.#objects.delete(database);
  }

  async finish(): Promise<readonly VerifyCheck[]> {
    this.#endParts();
    for (const database of this.#objects.keys()) this.#add(database, 'inventory', ['its inventory is missing'], '');
    return this.#checks;
  }

  async close(): Promise<void> {
    await this.#trial?.close();
  }
}

interface PartialDump {
  readonly database: string;
  /** Null: it is only looked at. */
  readonly staged: StagedDump | null;
  readonly scanner: FolderScanner;
}

const ABOUT_THE_DUMP = ['DATABASE_DUMP_DAMAGED', 'DATABASE_TOOL_FAILED', 'DATABASE_NOT_FOUND'];

/** Others say that the place of the trial does not work, which proves nothing. */
function isAboutTheDump({ code, message }: AppError): boolean {
  return ABOUT_THE_DUMP.includes(code) && !tellsOfNoRoom(message);
}

async function scan(content: AsyncIterable<Uint8Array>, database: string): Promise<InventoryObject[]> {
  const scanner = new ArchiveScanner();
  for await (const _ of scanned(content, scanner, (reason) => damaged(database, reason)));
  return dumpObjects(scanner.end(), scanner);
}
