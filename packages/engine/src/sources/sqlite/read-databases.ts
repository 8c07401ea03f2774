/** The reading half: one consistent, checked copy after the other, each gone again once it was read. */
import { type BigIntStats, closeSync, fstatSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import {
  countObjects,
  type DatabaseInventory,
  formatInventory,
  missingObjects,
} from '../../ports/database-inventory.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import type { BackupContext, SourceEntry, SyncContent } from '../../ports/source.ts';
import { folderEntry, textEntry } from '../../ports/stream-entry.ts';
import { checkCopy, joinFindings } from './check-copy.ts';
import type { SqliteConfig } from './config.ts';
import { copyDatabase } from './copy-database.ts';
import {
  databaseOfInventory,
  entryPathOf,
  foldersAbove,
  inTreeOrder,
  inventoryPathOf,
  NAMED_AS_INVENTORY,
  ROOT,
} from './entry-paths.ts';
import { findDatabases } from './find-databases.ts';
import { countRows } from './list-objects.ts';
import { openCopy, sqliteVersion } from './open-database.ts';
import { sqliteReason } from './sqlite-errors.ts';

/**
 * Yields the databases under their paths. What is missing, locked for too long, damaged or no database is a problem;
 * throws DATABASE_NOT_FOUND when there is none at all, SOURCE_NOT_READABLE when none of them could be copied.
 */
export async function* readEntries(config: SqliteConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const { paths, problems } = findDatabases(config);
  for (const problem of problems) context.problem(problem);
  if (paths.length === 0) {
    throw new AppError('DATABASE_NOT_FOUND', { name: config.databases.join(', '), server: 'this machine' });
  }
  const run = new BackupRun(config, context);
  try {
    yield* run.entries(paths);
    run.assertSomething();
  } finally {
    run.close();
  }
}

class BackupRun {
  readonly #config: SqliteConfig;
  readonly #context: BackupContext;
  readonly #modifiedAt = systemClock.now();
  /** Copies are for nobody's eyes, like secrets, and are cleared away with them when a run is killed. */
  readonly #folder: SecretFolder;
  readonly #inventories = new Map<string, string>();
  #failures: string[] = [];
  #copies = 0;

  constructor(config: SqliteConfig, context: BackupContext) {
    this.#config = config;
    this.#context = context;
    this.#folder = new SecretFolder(context.tempDir);
  }

  async *entries(paths: readonly string[]): AsyncGenerator<SourceEntry> {
    const databases = new Set(paths);
    const folders = new Set(paths.flatMap(foldersAbove));
    const inventories = new Map(paths.map((path) => [inventoryPathOf(path), path]));
    yield folderEntry({ path: ROOT, modifiedAt: this.#modifiedAt });
    for (const path of inTreeOrder(new Set([...folders, ...databases, ...inventories.keys()]))) {
      const entry = databases.has(path) ? await this.#databaseEntry(path) : this.#otherEntry(path, inventories);
      if (entry) yield entry;
    }
  }

  assertSomething(): void {
    if (this.#copies > 0) return;
    throw new AppError('SOURCE_NOT_READABLE', {
      path: this.#config.databases.join(', '),
      reason: this.#failures[0] ?? '',
    });
  }

  close(): void {
    this.#folder.remove();
  }

  #otherEntry(path: string, inventories: ReadonlyMap<string, string>): SourceEntry | null {
    const database = inventories.get(path);
    if (database === undefined) return this.#folderEntry(path);
    const text = this.#inventories.get(database);
    this.#inventories.delete(database);
    return text === undefined ? null : textEntry({ path: entryPathOf(path), modifiedAt: this.#modifiedAt, text });
  }

  #folderEntry(path: string): SourceEntry {
    const entry = folderEntry({ path: entryPathOf(path), modifiedAt: this.#modifiedAt });
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat ? { ...entry, ...metadataOf(stat) } : entry;
  }

  async #databaseEntry(path: string): Promise<SourceEntry | null> {
    try {
      if (databaseOfInventory(path) !== null) throw new Error(NAMED_AS_INVENTORY);
      const stat = statSync(path, { bigint: true });
      const content = await this.#copy(path);
      this.#copies += 1;
      const common = folderEntry({ path: entryPathOf(path), modifiedAt: this.#modifiedAt });
      return { ...common, type: 'file', ...metadataOf(stat), content };
    } catch (error) {
      if (this.#context.signal.aborted) throw new AppError('CANCELLED');
      const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const message = sqliteReason(error);
      this.#failures.push(`${path}: ${message}`);
      this.#context.problem({ path, code: isGone ? 'vanished' : 'unreadable', message });
      return null;
    }
  }

  async #copy(path: string): Promise<SyncContent> {
    const { lockWaitSeconds } = this.#config;
    const copyPath = join(this.#folder.path, 'copy');
    try {
      const { objects } = await copyDatabase({ path, copyPath, lockWaitSeconds, signal: this.#context.signal });
      const copied = this.#check(path, copyPath);
      const [gap] = missingObjects(objects, copied.objects);
      if (gap) throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: path, reason: gap });
      this.#inventories.set(path, formatInventory(copied));
      this.#context.log('info', `${path}: ${countObjects(copied.objects)}.`);
      return contentOf(openSync(copyPath, 'r'));
    } finally {
      // The open file keeps the content; nothing is left when this process is killed.
      for (const suffix of ['', '-journal', '-wal']) rmSync(`${copyPath}${suffix}`, { force: true });
    }
  }

  #check(path: string, copyPath: string): DatabaseInventory {
    const copy = openCopy(copyPath);
    try {
      const { damage, violations, unchecked } = checkCopy(copy, this.#config.integrityCheck);
      if (damage.length > 0) {
        throw new AppError('DATABASE_DUMP_INCOMPLETE', {
          name: path,
          reason: `it is damaged: ${joinFindings(damage)}`,
        });
      }
      const doubts = [...violations, ...unchecked];
      if (doubts.length > 0) this.#context.problem({ path, code: 'inconsistent', message: joinFindings(doubts) });
      const pragma = (name: string) => String(copy.prepare(`PRAGMA ${name}`).get()?.[name]);
      const names = ['page_size', 'page_count', 'encoding', 'user_version', 'application_id', 'auto_vacuum'];
      return {
        format: 1,
        server: `SQLite ${sqliteVersion}`,
        tool: `node:sqlite ${sqliteVersion}`,
        database: path,
        objects: countRows(copy),
        details: Object.fromEntries(names.map((name) => [name, pragma(name)])),
      };
    } finally {
      copy.close();
    }
  }
}

function metadataOf(stat: BigIntStats) {
  const mode = Number(stat.mode & 0o7777n);
  return { mode, uid: Number(stat.uid), gid: Number(stat.gid), modifiedAtNs: stat.mtimeNs };
}

function contentOf(fd: number): SyncContent {
  let isOpen = true;
  return {
    kind: 'sync',
    sizeBytes: fstatSync(fd).size,
    segments: null,
    read: (target, offset, length, position) => readSync(fd, target, offset, length, position),
    close() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}
