import type { ArtifactEntry, DiffSnapshotsResult, FindInRepositoryResult } from '@backupx/contracts/jobs';
import type { Command } from 'commander';
import { act, type CommandContext, printList, withExamples } from '../command-context.ts';
import { formatBytes, printable } from '../output/format.ts';
import { collect, parseCount } from '../parse-argument.ts';
import { type EngineSession, withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { parseSnapshotPlace, snapshotArtifact } from './snapshot-place.ts';
import { json } from './snapshots.ts';

/** Entries asked for at once, and at most when nothing is said. */
const PAGE_ENTRIES = 1000;
const FOUND_AT_MOST = 1000;
const CHANGES_AT_MOST = 10_000;

interface LsOptions extends RepositoryOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
}

export function addLsCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('ls')
    .argument('<snapshot[:path]>', 'id, its beginning or "latest"; a folder in it')
    .description('What is in a folder of a snapshot')
    .option('-R, --recursive', 'everything below it, too')
    .option('-l, --long', 'with permissions, size and time');
  withRepository(command).action(act(context, (text: string, options: LsOptions) => ls(context, text, options)));
  withExamples(command, 'backupx repo ls latest', 'backupx repo ls -l 3f2a:/srv/www', 'backupx repo ls -R latest:/etc');
}

async function ls(context: CommandContext, text: string, options: LsOptions): Promise<number> {
  const { snapshotId, path } = parseSnapshotPlace(text);
  const repository = await readAccess(options);
  const print = (entry: ArtifactEntry) =>
    context.terminal.data(options.json ? JSON.stringify(entry) : describeEntry(entry, options.long === true));
  await withEngine(context, (session) =>
    listFolders(session, {
      artifact: snapshotArtifact(repository, snapshotId),
      path: path ?? '',
      isDeep: options.recursive === true,
      print,
    }),
  );
  return 0;
}

interface Listing {
  readonly artifact: ReturnType<typeof snapshotArtifact>;
  readonly path: string;
  readonly isDeep: boolean;
  readonly print: (entry: ArtifactEntry) => void;
}

async function listFolders(session: EngineSession, listing: Listing): Promise<void> {
  const { artifact, path, isDeep, print } = listing;
  for (let offset: number | null = 0; offset !== null; ) {
    const query: { path: string; search: null; offset: number; limit: number } = {
      path,
      search: null,
      offset,
      limit: PAGE_ENTRIES,
    };
    const page = await session.run({ kind: 'browse_artifact', artifact, ...query }, 'ls');
    for (const entry of page.entries) {
      print(entry);
      if (isDeep && entry.type === 'directory') await listFolders(session, { ...listing, path: entry.path });
    }
    offset = page.nextOffset;
  }
}

const typeLetters: Readonly<Record<ArtifactEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  hardlink: '-',
  fifo: 'p',
  char_device: 'c',
  block_device: 'b',
};

function describeEntry(entry: ArtifactEntry, isLong: boolean): string {
  if (!isLong) return printable(entry.path);
  const time = entry.modifiedAt?.slice(0, 19).replace('T', ' ') ?? '-';
  const target = entry.linkTarget ? ` -> ${entry.linkTarget}` : '';
  const size = String(entry.size).padStart(12);
  return printable(`${typeLetters[entry.type]}${permissions(entry.mode ?? 0)} ${size} ${time} ${entry.path}${target}`);
}

/** `rwxr-xr-x`, with s and t where they stand in `ls`. */
function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'));
  for (const [bit, index, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const) {
    if (mode & bit) letters[index] = letters[index] === 'x' ? letter : letter.toUpperCase();
  }
  return letters.join('');
}

interface FindOptions extends RepositoryOptions {
  readonly snapshot?: string[];
  readonly limit: number;
}

export function addFindCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('find')
    .argument('<pattern>', 'a name or glob (*.conf), or a path when it holds a slash (/etc/**/*.conf)')
    .description('Every version of matching files and folders, over all snapshots')
    .option('-s, --snapshot <id>', 'only in this snapshot (repeatable)', collect)
    .option('--limit <count>', 'how many versions at most', parseCount, FOUND_AT_MOST);
  withRepository(command).action(
    act(context, (pattern: string, options: FindOptions) => find(context, pattern, options)),
  );
  withExamples(
    command,
    "backupx repo find '*.conf'",
    'backupx repo find /srv/www/index.html',
    'backupx repo find -s latest id_rsa',
  );
}

async function find(context: CommandContext, pattern: string, options: FindOptions): Promise<number> {
  const repository = await readAccess(options);
  const query = { pattern, snapshotIds: options.snapshot ?? null, limit: options.limit };
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'find_in_repository', repository, ...query }, 'find'),
  );
  if (options.json) context.terminal.data(json(result));
  else if (result.hits.length === 0) context.terminal.say('Nothing was found.');
  else {
    printList(context, {
      items: result.hits,
      heading: ['MODIFIED', 'SIZE', 'SNAPSHOTS', 'PATH'],
      row: (hit) => [
        hit.modifiedAt?.slice(0, 19).replace('T', ' ') ?? '-',
        hit.type === 'directory' ? '-' : formatBytes(hit.size),
        describeSnapshots(hit.snapshotIds),
        printable(hit.path),
      ],
    });
    if (result.truncated) context.terminal.say(`There are more; see --limit (${options.limit}).`);
  }
  if (sayUnread(context, 'looked through', result.unread)) return 8;
  return result.hits.length > 0 ? 0 : 6;
}

/** Names folders that were damaged; false when there are none. */
function sayUnread(context: CommandContext, done: string, unread: FindInRepositoryResult['unread']): boolean {
  for (const { path, snapshotIds, message } of unread) {
    const where = `${describeSnapshots(snapshotIds)}: ${printable(path || '/')}`;
    context.terminal.say(`Not ${done} in ${where}. ${printable(message)}`);
  }
  return unread.length > 0;
}

/** `3f2a9c01`, or the first and last of several. */
function describeSnapshots(ids: readonly string[]): string {
  const [first = '-'] = ids;
  const short = first.slice(0, 8);
  return ids.length > 1 ? `${short}…${ids.at(-1)?.slice(0, 8)} (${ids.length})` : short;
}

const changeSigns: Readonly<Record<DiffSnapshotsResult['changes'][number]['change'], string>> = {
  added: '+',
  removed: '-',
  content: 'M',
  metadata: 'U',
  type: 'T',
};

interface DiffOptions extends RepositoryOptions {
  readonly limit: number;
}

export function addDiffCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('diff')
    .argument('<from>', 'the older snapshot: id, its beginning or "latest"')
    .argument('<to>', 'the newer one')
    .description('What changed between two snapshots: + added, - removed, M content, U metadata, T type')
    .option('--limit <count>', 'how many changes are listed at most', parseCount, CHANGES_AT_MOST);
  withRepository(command).action(
    act(context, (from: string, to: string, options: DiffOptions) => diff(context, { from, to }, options)),
  );
  withExamples(command, 'backupx repo diff 3f2a latest');
}

async function diff(
  context: CommandContext,
  pair: { from: string; to: string },
  options: DiffOptions,
): Promise<number> {
  const { terminal } = context;
  const repository = await readAccess(options);
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'diff_snapshots', repository, ...pair, limit: options.limit }, 'diff'),
  );
  if (options.json) terminal.data(json(result));
  else {
    for (const { change, path } of result.changes) terminal.data(printable(`${changeSigns[change]} ${path}`));
    if (result.truncated) terminal.say(`There are more; see --limit (${options.limit}).`);
    terminal.say(`${result.added} added, ${result.removed} removed, ${result.changed} changed`);
  }
  return sayUnread(context, 'compared', result.unread) ? 8 : 0;
}
