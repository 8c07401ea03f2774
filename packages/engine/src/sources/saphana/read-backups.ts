/** The entries of a backup: database by database HANA makes its files, they are streamed, and removed. */
import { createReadStream, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { type DatabaseInventory, formatInventory } from '../../ports/database-inventory.ts';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../../ports/stream-entry.ts';
import { makeBackupFolder, removeBackupFolder } from './backup-folder.ts';
import type { HanaConfig } from './config.ts';
import { folderNameOf, INVENTORY, ROOT } from './entry-paths.ts';
import { Hdbsql } from './hdbsql.ts';
import { type HanaDatabase, listDatabases, serverVersion } from './server-catalogue.ts';
import { type TakenBackup, takeBackup } from './take-backup.ts';

const CHUNK_BYTES = 1024 * 1024;

interface Run {
  readonly config: HanaConfig;
  readonly context: BackupContext;
  readonly hdbsql: Hdbsql;
  readonly version: string;
}

/** See above. Throws DATABASE_* when nothing could be backed up; a database that fails is a problem. */
export async function* readBackups(config: HanaConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const hdbsql = await Hdbsql.open(config, context.signal);
  const found = await listDatabases(hdbsql, context.signal);
  const version = await serverVersion(hdbsql, context.signal);
  const run: Run = { config, context, hdbsql, version };
  const failures: AppError[] = [];
  const fail = (database: string, error: AppError) => {
    failures.push(error);
    context.problem({ path: `${ROOT}/${folderNameOf(database)}`, code: 'unreadable', message: error.message });
  };
  let saved = 0;
  yield folderEntry({ path: ROOT, modifiedAt: systemClock.now() });
  for (const name of chooseDatabases(config, found)) {
    try {
      yield* readOne(name, found, run);
      saved += 1;
    } catch (error) {
      if (!(error instanceof RefusedBackup)) throw error;
      fail(name, error.cause);
    }
  }
  if (saved === 0) throw failures[0] ?? new AppError('DATABASE_NOT_FOUND', { name: 'database', server: hdbsql.label });
}

/** A failure before anything of the database was handed on: the others can still be saved. */
class RefusedBackup extends Error {
  declare readonly cause: AppError;
}

function chooseDatabases(config: HanaConfig, found: readonly HanaDatabase[]): string[] {
  const names = config.databases.length > 0 ? config.databases : found.map(({ name }) => name);
  const patterns = config.excludeDatabases.map(
    (pattern) => new RegExp(`^${pattern.split('*').map(escapePattern).join('.*')}$`, 'u'),
  );
  const chosen = names.filter((name) => !patterns.some((pattern) => pattern.test(name)));
  const order = (name: string) => Buffer.from(folderNameOf(name));
  return [...new Set(chosen)].sort((a, b) => Buffer.compare(order(a), order(b)));
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

async function* readOne(name: string, found: readonly HanaDatabase[], run: Run): AsyncGenerator<SourceEntry> {
  const { config, context, hdbsql } = run;
  const startedAt = systemClock.now();
  let folder: string | null = null;
  let taken: TakenBackup | null = null;
  let isThrough = false;
  try {
    try {
      assertThere(name, found, hdbsql.label);
      if (config.method === 'file') folder = makeBackupFolder(config.backupFolder, hdbsql.owner);
      const { backupKind: kind } = config;
      taken = await takeBackup(hdbsql, { database: name, kind, folder, startedAt, signal: context.signal });
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'CANCELLED') throw error;
      throw new RefusedBackup(error.message, { cause: error });
    }
    context.log('info', `${name}: backup ${taken.backupId}, ${taken.files.length} file(s).`);
    yield* entriesOf(name, { taken, folder, startedAt, run });
    isThrough = true;
  } finally {
    if (folder) removeBackupFolder(folder);
    if (taken && folder && !isThrough) {
      context.log(
        'warn',
        `HANA lists backup ${taken.backupId} of ${name}, which was not kept: make a complete one next.`,
      );
    }
  }
}

function assertThere(name: string, found: readonly HanaDatabase[], server: string): void {
  const database = found.find((item) => item.name === name);
  if (!database) throw new AppError('DATABASE_NOT_FOUND', { name: `database ${name}`, server });
  if (!database.isActive) throw new AppError('SOURCE_FAILED', { reason: `the database ${name} is not running` });
}

interface Taken {
  readonly taken: TakenBackup;
  readonly folder: string | null;
  readonly startedAt: Date;
  readonly run: Run;
}

async function* entriesOf(name: string, parts: Taken): AsyncGenerator<SourceEntry> {
  const { folder, startedAt: modifiedAt } = parts;
  const base = `${ROOT}/${folderNameOf(name)}`;
  yield folderEntry({ path: base, modifiedAt });
  const files =
    folder === null ? [] : readdirSync(folder).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const file of files) {
    const stream = createReadStream(join(folder ?? '', file), { highWaterMark: CHUNK_BYTES });
    yield streamEntry({ path: `${base}/${file}`, modifiedAt, stream });
  }
  yield textEntry({ path: `${base}/${INVENTORY}`, modifiedAt, text: formatInventory(inventoryOf(name, parts)) });
}

function inventoryOf(name: string, { taken, folder, run }: Taken): DatabaseInventory {
  const { backupId, kind, endedAt, prefix, files } = taken;
  return {
    format: 1,
    server: `SAP HANA ${run.version}`,
    tool: run.hdbsql.program,
    database: name,
    objects: files.map(({ path }) => ({
      kind: folder === null ? 'backint' : 'file',
      name: folder === null ? path : basename(path),
    })),
    details: {
      ...{ backupId, kind, endedAt, prefix, method: run.config.method },
      ...Object.fromEntries(
        files.map(({ path, sizeBytes }) => [`bytes of ${folder === null ? path : basename(path)}`, String(sizeBytes)]),
      ),
    },
  };
}
