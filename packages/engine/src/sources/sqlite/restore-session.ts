/**
 * Brings databases back. Each is written beside its place, checked, compared with its inventory, and takes the place at
 * the end, when all of them were found good; see `replacement.ts` for how.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { displayPath } from '../../ports/display-path.ts';
import { readText } from '../../ports/entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { applyMetadata, type FileMetadata, metadataOfEntry } from './apply-metadata.ts';
import { checkCopy, joinFindings } from './check-copy.ts';
import { restoreOptions } from './config.ts';
import { databaseOfInventory, entryPathOf, foldersAbove, originalPathOf } from './entry-paths.ts';
import { countRows } from './list-objects.ts';
import { openCopy } from './open-database.ts';
import { RenameRules } from './rename-rules.ts';
import { assertUnused, clearLeftovers, Replacement, scratchPathOf } from './replacement.ts';
import { sqliteReason } from './sqlite-errors.ts';

interface StagedFile {
  readonly original: string;
  readonly target: string;
  readonly scratch: string;
  readonly sizeBytes: number;
}

/** See above. */
export function openRestoreSession(context: RestoreContext): RestoreSession {
  return new SqliteRestore(context);
}

class SqliteRestore implements RestoreSession {
  readonly usesContentAtOnce = true;
  readonly #context: RestoreContext;
  readonly #renames: RenameRules;
  readonly #replaceExisting: boolean;
  readonly #folders = new Map<string, FileMetadata>();
  readonly #staged = new Map<string, StagedFile>();
  readonly #targets = new Set<string>();
  readonly #madeFolders: string[] = [];
  #replacements: Replacement[] = [];
  #skipped = 0;
  #foreseen = 0;

  constructor(context: RestoreContext) {
    const { rename, replaceExisting } = restoreOptions(context.options);
    this.#context = context;
    this.#renames = new RenameRules(rename);
    this.#replaceExisting = replaceExisting;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = originalPathOf(entry.path);
    if (path === '') return;
    if (path === null || (entry.type !== 'file' && entry.type !== 'directory')) {
      const message = 'this is no database of this kind of task';
      this.#context.problem({ path: displayPath(entry.path), code: 'unsafe', message });
      return;
    }
    if (entry.type === 'directory') this.#folders.set(path, metadataOfEntry(entry));
    else await this.#writeFile(path, entry);
  }

  async commit(): Promise<RestoreOutcome> {
    const unused = this.#renames.unused();
    if (unused.length > 0) throw new AppError('DATABASE_NOT_FOUND', { name: unused.join(', '), server: 'the backup' });
    let bytesWritten = 0;
    for (const { scratch, target, sizeBytes } of this.#staged.values()) {
      const replacement = new Replacement({ scratch, target });
      this.#replacements.push(replacement);
      await this.#inPlace(target, () => replacement.apply());
      bytesWritten += sizeBytes;
    }
    for (const replacement of this.#replacements) replacement.finish();
    this.#replacements = [];
    const itemsWritten = this.#staged.size + this.#foreseen;
    this.#staged.clear();
    return { itemsWritten, bytesWritten, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    for (const replacement of this.#replacements.reverse()) this.#undo(replacement);
    for (const { scratch } of this.#staged.values()) rmSync(scratch, { force: true });
    for (const folder of this.#madeFolders.reverse()) removeFolder(folder);
  }

  #undo(replacement: Replacement): void {
    try {
      replacement.undo();
    } catch (error) {
      this.#context.log('warn', `The next restore of it puts the old database back: ${(error as Error).message}`);
    }
  }

  async #writeFile(path: string, entry: RestoreEntry): Promise<void> {
    const owner = databaseOfInventory(path);
    if (owner !== null) await this.#checkInventory(this.#staged.get(owner), entry);
    else if (this.#isWanted(path)) await this.#stage(path, entry);
  }

  /** What the file system says of a place, for people. */
  async #inPlace<T>(path: string, act: () => T): Promise<Awaited<T>> {
    try {
      return await act();
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') throw error;
      throw new AppError('RESTORE_TARGET_INVALID', { path, reason: (error as Error).message }, { cause: error });
    }
  }

  #isWanted(path: string): boolean {
    const { paths } = this.#context;
    const entryPath = entryPathOf(path);
    return paths === null || paths.some((wanted) => `${entryPath}/`.startsWith(`${wanted.replace(/\/+$/, '')}/`));
  }

  async #stage(path: string, entry: RestoreEntry): Promise<void> {
    const target = this.#targetOf(path);
    if (this.#targets.has(target))
      throw new AppError('RESTORE_TARGET_INVALID', { path: target, reason: 'two databases would go there' });
    this.#targets.add(target);
    if (!this.#mayWrite(target, entry)) {
      this.#skipped += 1;
      return;
    }
    if (this.#context.isDryRun) {
      this.#foreseen += 1;
      this.#context.log('info', `Would restore ${target}.`);
      return;
    }
    assertUnused(target);
    await this.#inPlace(target, () => {
      this.#makeFolders(path, target);
      clearLeftovers(target);
    });
    const scratch = scratchPathOf(target);
    this.#context.progress({ currentItem: target });
    const staged = { original: path, target, scratch };
    // Known before it is written, so that a rollback removes what there is of it.
    this.#staged.set(path, { ...staged, sizeBytes: 0 });
    const sizeBytes = await this.#inPlace(target, () => this.#writeScratch(scratch, entry));
    this.#staged.set(path, { ...staged, sizeBytes });
    this.#check(path, scratch);
    const failure = applyMetadata(scratch, metadataOfEntry(entry));
    if (failure !== null) this.#context.problem({ path: target, code: 'metadata', message: failure });
    this.#context.progress({ items: 1 });
  }

  /** The real file behind links, since only that one must be replaced. */
  #targetOf(path: string): string {
    const { targetPath } = this.#context;
    const place = this.#renames.apply(path) ?? path;
    const target = targetPath === null ? place : join(targetPath, place);
    return statSync(target, { throwIfNoEntry: false }) ? realpathSync(target) : target;
  }

  #mayWrite(target: string, entry: RestoreEntry): boolean {
    const stat = statSync(target, { bigint: true, throwIfNoEntry: false });
    if (!stat) return true;
    if (!stat.isFile()) throw new AppError('RESTORE_TARGET_INVALID', { path: target, reason: 'it is not a file' });
    if (this.#context.targetPath === null) {
      if (this.#replaceExisting || stat.size === 0n) return true;
      throw new AppError('DATABASE_EXISTS', { name: target, server: 'this machine' });
    }
    const { overwrite } = this.#context;
    return overwrite === 'always' || (overwrite === 'if_newer' && entry.modifiedAtNs > stat.mtimeNs);
  }

  #makeFolders(original: string, target: string): void {
    const originals = foldersAbove(original);
    const targets = foldersAbove(target);
    for (const [index, folder] of targets.entries()) {
      if (statSync(folder, { throwIfNoEntry: false })) continue;
      mkdirSync(folder, { mode: 0o755 });
      this.#madeFolders.push(folder);
      const known = this.#folders.get(originals[index - targets.length + originals.length] ?? '');
      if (known) applyMetadata(folder, known);
    }
  }

  async #writeScratch(scratch: string, entry: RestoreEntry): Promise<number> {
    const fd = openSync(scratch, 'wx', 0o600);
    let size = 0;
    try {
      for await (const chunk of entry.content ?? []) {
        if (this.#context.signal.aborted) throw new AppError('CANCELLED');
        for (let done = 0; done < chunk.byteLength; )
          done += writeSync(fd, chunk, done, chunk.byteLength - done, size + done);
        size += chunk.byteLength;
        this.#context.progress({ bytes: chunk.byteLength });
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return size;
  }

  /** Throws DATABASE_DUMP_DAMAGED. */
  #check(name: string, scratch: string): void {
    try {
      const copy = openCopy(scratch);
      try {
        const { damage, violations, unchecked } = checkCopy(copy, 'full');
        if (damage.length > 0) throw new AppError('DATABASE_DUMP_DAMAGED', { name, reason: joinFindings(damage) });
        const doubts = [...violations, ...unchecked];
        if (doubts.length > 0)
          this.#context.log('warn', `${name}, as it was when it was backed up: ${joinFindings(doubts)}`);
      } finally {
        copy.close();
      }
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('DATABASE_DUMP_DAMAGED', { name, reason: sqliteReason(error) }, { cause: error });
    }
  }

  async #checkInventory(staged: StagedFile | undefined, entry: RestoreEntry): Promise<void> {
    const text = entry.content ? await readText(entry.content) : '';
    if (!staged) return;
    const expected = parseInventory(text);
    const copy = openCopy(staged.scratch);
    try {
      const missing = missingObjects(expected.objects, countRows(copy));
      if (missing.length === 0) return;
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: staged.original, reason: joinFindings(missing) });
    } finally {
      copy.close();
    }
  }
}

/** Others may have put something into it meanwhile. */
function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It stays.
  }
}
