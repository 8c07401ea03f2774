/** The reading half of the files source. It loads neither schemas nor the restore, so its thread stays small. */
import { accessSync, constants, lstatSync, readdirSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import { displayPath } from '../../ports/display-path.ts';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import type { BackupContext, SourceEntry, SourceTotals } from '../../ports/source.ts';
import { createEntryBuilder, createHardLinks, type EntryBuilder, entryTypeOf } from './build-entry.ts';
import { type BytePath, parentPath, toBytes } from './byte-paths.ts';
import { isMissing, reasonOf } from './errno.ts';
import { linksBetweenRoots } from './links-between-roots.ts';
import { normalizeRoots } from './source-roots.ts';
import { type WalkOptions, walkTree } from './walk-tree.ts';

/** Settings of the files source, checked. */
export interface FilesConfig {
  readonly paths: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly oneFileSystem: boolean;
}

/** Yields every item; see `files-source.ts`. */
export function* readFiles(config: FilesConfig, context: BackupContext): Generator<SourceEntry> {
  const roots = normalizeRoots(config.paths);
  assertSomethingReadable(roots);
  tellOfLinks(roots, context);
  const builder = createEntryBuilder(context);
  const found = walkTree({
    roots,
    excludePatterns: config.excludePatterns,
    oneFileSystem: config.oneFileSystem,
    onProblem: (path, code, message) => context.problem({ path: displayPath(toBytes(path)), code, message }),
    onRootLink: (path) => context.log('info', `${displayPath(toBytes(path))} is a symbolic link and is followed.`),
    isTaken: takingOf(builder, context),
  });
  for (const item of found) {
    throwIfCancelled(context.signal);
    const entry = builder.build(item);
    if (entry) yield entry;
  }
  finishLog(builder, roots, context);
}

function tellOfLinks(roots: readonly BytePath[], context: BackupContext): void {
  for (const { link, root } of linksBetweenRoots(roots)) {
    const [linkPath, rootPath] = [link, root].map((path) => displayPath(toBytes(path)));
    context.log(
      'warn',
      `${linkPath} is a symbolic link within one path of the task, and ${rootPath} leads through it: one of the two cannot be restored. ` +
        'Name the place that the link leads to instead.',
    );
  }
}

/** What the walk asks about each item; undefined: nothing is compared with an earlier run. */
function takingOf({ counts }: EntryBuilder, context: BackupContext): WalkOptions['isTaken'] {
  const { takeUnchanged } = context;
  if (!takeUnchanged) return undefined;
  return (folder, name, stats) => {
    const isTaken = takeUnchanged(folder, name, stats);
    if (isTaken) counts.readFiles += 1;
    return isTaken;
  };
}

function finishLog(builder: EntryBuilder, roots: readonly BytePath[], context: BackupContext) {
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
  if (builder.xattrs.unreadCount > 0) {
    context.log('warn', `${builder.xattrs.unreadCount} extended attribute(s) that are listed could not be read.`);
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

/** Counts what `readFiles` would yield: the totals so far, after every item. */
export function* countFiles(config: FilesConfig): Generator<SourceTotals> {
  const links = createHardLinks();
  const totals = { items: 0, bytes: 0 };
  const found = walkTree({
    roots: normalizeRoots(config.paths),
    excludePatterns: config.excludePatterns,
    oneFileSystem: config.oneFileSystem,
    onProblem() {},
  });
  for (const item of found) {
    if (entryTypeOf(item.stats) === null) continue;
    totals.items += 1;
    if (item.stats.isFile() && links.firstName(item) === null) {
      links.remember(item);
      totals.bytes += Number(item.stats.size);
    }
    yield totals;
  }
}

/**
 * Every folder above a root, also one that is a root itself, as what a link in the path leads to, outermost first, each
 * once; `/` is left out, and so is what cannot be looked at.
 */
export function* readAncestors(config: FilesConfig): Generator<SourceEntry> {
  const roots = normalizeRoots(config.paths);
  const builder = createEntryBuilder({ problem() {} });
  const seen = new Set<BytePath>(['/']);
  for (const root of roots) {
    const above: BytePath[] = [];
    for (let at = parentPath(root); at !== '/'; at = parentPath(at)) if (!seen.has(at)) above.push(at);
    for (const path of above.reverse()) {
      seen.add(path);
      const stats = statFolder(path);
      const entry = stats && builder.build({ path, bytes: toBytes(path), stats });
      if (entry) yield entry;
    }
  }
}

function statFolder(path: BytePath) {
  try {
    const stats = statSync(toBytes(path), { bigint: true });
    return stats.isDirectory() ? stats : null;
  } catch {
    return null;
  }
}
