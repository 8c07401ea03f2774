/** Has HANA back up one database, and makes sure of it. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { HanaConfig } from './config.ts';
import type { Hdbsql } from './hdbsql.ts';
import { type CatalogueEntry, type CatalogueFile, findBackup, listFiles } from './server-catalogue.ts';
import { backupStatement } from './statements.ts';

const CANCEL_LIMIT_MS = 15_000;

export interface TakenBackup extends CatalogueEntry {
  readonly prefix: string;
  readonly files: readonly CatalogueFile[];
}

export interface TakeOptions {
  readonly database: string;
  readonly kind: HanaConfig['backupKind'];
  /** Null: through Backint. */
  readonly folder: string | null;
  readonly startedAt: Date;
  readonly signal: AbortSignal;
}

/** Throws DATABASE_DUMP_INCOMPLETE unless the catalogue says it succeeded and every file is there; DATABASE_*, CANCELLED. */
export async function takeBackup(hdbsql: Hdbsql, options: TakeOptions): Promise<TakenBackup> {
  const { database, kind, folder, startedAt, signal } = options;
  const prefix = `backupx_${startedAt.toISOString().replace(/\D/g, '').slice(0, 14)}`;
  const comment = `BackupX ${startedAt.toISOString()} ${randomBytes(6).toString('hex')}`;
  const wanted = { database, comment };
  try {
    await hdbsql.run(backupStatement({ database, kind, folder, prefix, comment }), { signal, isLong: true });
  } catch (error) {
    await cancelRunning(hdbsql, wanted);
    throw error;
  }
  const entry = await findBackup(hdbsql, wanted, signal);
  if (entry?.state !== 'successful') throw incomplete(database, stateOf(entry));
  const files = await listFiles(hdbsql, { database, backupId: entry.backupId }, signal);
  if (files.length === 0) throw incomplete(database, 'the catalogue names no files of it');
  if (folder !== null) checkFiles(database, folder, files);
  return { ...entry, prefix, files };
}

function stateOf(entry: CatalogueEntry | null): string {
  if (!entry) return 'M_BACKUP_CATALOG does not know it';
  return `M_BACKUP_CATALOG says "${entry.state}"${entry.message === '' ? '' : `: ${entry.message}`}`;
}

/** The client is gone, but the backup may go on without it. */
async function cancelRunning(hdbsql: Hdbsql, wanted: { database: string; comment: string }): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_LIMIT_MS);
  try {
    const entry = await findBackup(hdbsql, wanted, signal);
    if (entry?.state === 'running') await hdbsql.run(`BACKUP CANCEL ${Number(entry.backupId)}`, { signal });
  } catch {
    // The first failure is the one to tell.
  }
}

function checkFiles(database: string, folder: string, files: readonly CatalogueFile[]): void {
  const present = new Set(readdirSync(folder));
  for (const { path, sizeBytes } of files) {
    if (dirname(path) !== folder || !present.has(basename(path))) {
      throw incomplete(database, `${path} is not in ${folder}; does this run on the host of the database?`);
    }
    const found = statSync(join(folder, basename(path))).size;
    if (found < sizeBytes) throw incomplete(database, `${path} has ${found} of ${sizeBytes} bytes`);
  }
}

function incomplete(name: string, reason: string): AppError {
  return new AppError('DATABASE_DUMP_INCOMPLETE', { name, reason });
}
