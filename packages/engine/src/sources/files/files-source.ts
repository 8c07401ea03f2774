/**
 * The source of files and folders. Backup walks the given paths with synchronous calls (it runs in a thread of its
 * own) and yields every item as the bytes, times and attributes it has; restore is in `restore-session.ts`.
 *
 * - A path the user named that is a symbolic link is followed, all other links are kept as links.
 * - Exclusions never reach into a path that was named itself; paths inside one another are stored once.
 * - Sockets are skipped; what vanishes, changes or cannot be read is a problem of the run, not its end.
 */
import { accessSync, constants, lstatSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { displayPath } from '../../ports/display-path.ts';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import { type BackupContext, defineSource, type SourceEntry, type SourceTotals } from '../../ports/source.ts';
import { createEntryBuilder, createHardLinks, entryTypeOf } from './build-entry.ts';
import { type BytePath, toBytes } from './byte-paths.ts';
import { isMissing, reasonOf } from './errno.ts';
import { openRestoreSession } from './restore-session.ts';
import { normalizeRoots } from './source-roots.ts';
import { walkTree } from './walk-tree.ts';

const absolutePath = z
  .string()
  .refine((path) => path.startsWith('/'), 'The path must be absolute.')
  .refine((path) => !path.includes('\0'), 'The path must not hold a zero byte.');

const configSchema = z.object({
  paths: z.array(absolutePath).min(1).meta({ label: 'Folders and files', placeholder: '/srv/www' }),
  excludePatterns: z.array(z.string()).default([]).meta({
    label: 'Leave out',
    help: 'Patterns as in .gitignore, relative to each path.',
    placeholder: 'node_modules/',
  }),
  oneFileSystem: z.boolean().default(false).meta({
    label: 'Stay on one file system',
    help: 'Folders where another file system is mounted are stored empty.',
    advanced: true,
  }),
});
type FilesConfig = z.output<typeof configSchema>;

export const filesSource = defineSource({
  type: 'file',
  title: 'Files and folders',
  config: configSchema,
  verify: 'structure',
  entries,
  countTotals,
  restore: (config, context) => openRestoreSession(config.paths, context),
});

function* entries(config: FilesConfig, context: BackupContext): Generator<SourceEntry> {
  const roots = normalizeRoots(config.paths);
  assertSomethingReadable(roots);
  const builder = createEntryBuilder(context);
  const found = walkTree({
    roots,
    excludePatterns: config.excludePatterns,
    oneFileSystem: config.oneFileSystem,
    onProblem: (path, code, message) => context.problem({ path: displayPath(toBytes(path)), code, message }),
    onRootLink: (path) => context.log('info', `${displayPath(toBytes(path))} is a symbolic link and is followed.`),
  });
  for (const item of found) {
    throwIfCancelled(context.signal);
    const entry = builder.build(item);
    if (entry) yield entry;
  }
  finishLog(builder, roots, context);
}

function finishLog(builder: ReturnType<typeof createEntryBuilder>, roots: readonly BytePath[], context: BackupContext) {
  const { sockets, readFiles, failedFiles } = builder.counts;
  if (failedFiles > 0 && readFiles === 0) {
    throw new AppError('SOURCE_NOT_READABLE', {
      path: displayPath(toBytes(roots[0] ?? '/')),
      reason: `none of ${failedFiles} file(s) could be opened`,
    });
  }
  if (sockets > 0) context.log('info', `${sockets} socket(s) skipped: they exist only while their program runs.`);
  if (builder.xattrs.unaskedCount > 0) {
    context.log(
      'warn',
      `Extended attributes of ${builder.xattrs.unaskedCount} item(s) were not read: their names are not UTF-8.`,
    );
  }
}

/** Throws when not one of the roots can be read. */
function assertSomethingReadable(roots: readonly BytePath[]): void {
  const failures: unknown[] = [];
  for (const root of roots) {
    try {
      const bytes = toBytes(root);
      const stats = lstatSync(bytes);
      if (stats.isFile()) accessSync(bytes, constants.R_OK);
      else if (stats.isDirectory()) readdirSync(bytes);
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  const path = displayPath(toBytes(roots[0] ?? '/'));
  const unreadable = failures.find((error) => !isMissing(error));
  if (unreadable === undefined) {
    throw new AppError('SOURCE_NOT_FOUND', { path, node: hostname() }, { cause: failures[0] });
  }
  throw new AppError('SOURCE_NOT_READABLE', { path, reason: reasonOf(unreadable) }, { cause: unreadable });
}

function countTotals(config: FilesConfig, signal: AbortSignal): SourceTotals {
  const links = createHardLinks();
  let items = 0;
  let bytes = 0;
  const found = walkTree({
    roots: normalizeRoots(config.paths),
    excludePatterns: config.excludePatterns,
    oneFileSystem: config.oneFileSystem,
    onProblem() {},
  });
  for (const item of found) {
    throwIfCancelled(signal);
    if (entryTypeOf(item.stats) === null) continue;
    items += 1;
    if (!item.stats.isFile() || links.firstName(item) !== null) continue;
    links.remember(item);
    bytes += Number(item.stats.size);
  }
  return { items, bytes };
}
