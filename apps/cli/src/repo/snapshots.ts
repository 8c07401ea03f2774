import { hostname } from 'node:os';
import type { SnapshotInfo } from '@backupx/contracts/jobs';
import { type Command, Option } from 'commander';
import { act, type CommandContext, printList, withExamples } from '../command-context.ts';
import { formatBytes, formatCount, formatRelative, printable } from '../output/format.ts';
import { collect } from '../parse-argument.ts';
import { type EngineSession, withEngine } from './engine-session.ts';
import {
  type FromOptions,
  type RepositoryOptions,
  readAccess,
  readFromPassword,
  readFromPlace,
  readPassword,
  readPlace,
  withFromRepository,
  withRepository,
} from './repository-options.ts';

/** Characters of an id that are shown. */
const SHORT_ID = 8;

export function addInitCommand(repo: Command, context: CommandContext): void {
  const command = repo.command('init').description('Make a new repository');
  withFromRepository(withRepository(command))
    .addHelpText(
      'after',
      '\nWith --from-repo files are cut as in that repository, so that copies share what is stored.',
    )
    .action(act(context, (options: RepositoryOptions & FromOptions) => init(context, options)));
  withExamples(
    command,
    'backupx repo init --repo /mnt/backup/web',
    'backupx repo init --repo s3:https://host/bucket/web',
  );
}

async function init(context: CommandContext, options: RepositoryOptions & FromOptions): Promise<number> {
  const { target, prefix } = readPlace(options);
  const password = await readPassword(options, true);
  const from = readFromPlace(options);
  const fromPassword = from ? await readFromPassword(options) : '';
  const result = await withEngine(context, async (session) => {
    const sibling = from ? await look(session, { ...from, password: fromPassword }) : null;
    const chunkerPolynomial = sibling?.chunkerPolynomial ?? null;
    const job = { target, prefix, password, chunkerPolynomial, id: 0, adopt: false, hostname: hostname() };
    return session.run({ kind: 'init_repository', ...job }, 'init');
  });
  if (options.json) context.terminal.data(json(withoutKey(result)));
  else
    context.terminal.data(
      `Repository ${result.repositoryId.slice(0, SHORT_ID)} was made at ${printable(target.name)}.`,
    );
  context.terminal.say(
    'Keep its password safe: nothing can be read without it. "backupx repo kit" writes it all down.',
  );
  return 0;
}

/** Opens a repository and says what it is. */
function look(session: EngineSession, place: ReturnType<typeof readPlace> & { password: string }) {
  const { target, prefix, password } = place;
  const job = { target, prefix, password, chunkerPolynomial: null, id: 0, adopt: true, hostname: hostname() };
  return session.run({ kind: 'init_repository', ...job }, 'open');
}

/** The key opens everything; it is shown by `repo kit` only. */
function withoutKey<T extends { masterKey: string }>({ masterKey: _, ...rest }: T): Omit<T, 'masterKey'> {
  return rest;
}

export function addAdoptCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('adopt')
    .description('Look whether an existing repository (of restic, too) opens, and what is in it; changes nothing');
  withRepository(command).action(act(context, (options: RepositoryOptions) => adopt(context, options)));
  withExamples(command, 'backupx repo adopt --repo /mnt/restic');
}

async function adopt(context: CommandContext, options: RepositoryOptions): Promise<number> {
  const access = await readAccess(options);
  const password = 'password' in access.unlock ? access.unlock.password : '';
  const { found, snapshots } = await withEngine(context, async (session) => ({
    found: await look(session, { ...access, password }),
    snapshots: await listSnapshots(session, access, {}),
  }));
  if (options.json) {
    context.terminal.data(json({ ...withoutKey(found), snapshots }));
    return 0;
  }
  const hosts = new Set(snapshots.map((snapshot) => snapshot.hostname));
  const newest = snapshots.at(-1);
  context.terminal.data(`Repository ${found.repositoryId.slice(0, SHORT_ID)}, format version ${found.version}, opens.`);
  context.terminal.data(`${formatCount(snapshots.length, 'snapshot')} of ${formatCount(hosts.size, 'host')}`);
  if (newest)
    context.terminal.data(printable(`newest: ${newest.id.slice(0, SHORT_ID)} of ${newest.time} on ${newest.hostname}`));
  return 0;
}

export interface SnapshotFilter {
  readonly host?: string;
  readonly tag?: readonly string[];
  readonly path?: string;
}

export function addSnapshotsCommand(repo: Command, context: CommandContext): void {
  const command = repo.command('snapshots').description('All snapshots, oldest first');
  withRepository(withSnapshotFilter(command)).action(
    act(context, async (options: RepositoryOptions & SnapshotFilter) => {
      const access = await readAccess(options);
      const items = await withEngine(context, (session) => listSnapshots(session, access, options));
      printList(context, {
        items,
        json: options.json,
        heading: snapshotHeading,
        row: (item) => snapshotRow(context, item),
      });
      return 0;
    }),
  );
  withExamples(
    command,
    'backupx repo snapshots --repo /mnt/backup/web',
    'backupx repo snapshots --host db1 --tag daily',
  );
}

export function withSnapshotFilter(command: Command): Command {
  return command
    .option('--host <name>', 'only snapshots of this host')
    .addOption(
      new Option('--tag <tag>', 'only snapshots with this tag (repeatable: with all of them)').argParser(collect),
    )
    .option('--path <path>', 'only snapshots of this path');
}

export async function listSnapshots(
  session: EngineSession,
  repository: Awaited<ReturnType<typeof readAccess>>,
  filter: SnapshotFilter,
): Promise<SnapshotInfo[]> {
  const wanted = { hostname: filter.host ?? null, tags: [...(filter.tag ?? [])], path: filter.path ?? null };
  return (await session.run({ kind: 'list_snapshots', repository, ...wanted }, 'snapshots')).snapshots;
}

export const snapshotHeading = ['ID', 'TIME', 'AGE', 'HOST', 'TAGS', 'SIZE', 'PATHS'];

export function snapshotRow(context: CommandContext, snapshot: SnapshotInfo): string[] {
  return [
    snapshot.id.slice(0, SHORT_ID),
    snapshot.time.slice(0, 19).replace('T', ' '),
    formatRelative(snapshot.time, context.now()),
    printable(snapshot.hostname),
    printable(snapshot.tags.join(',')) || '-',
    snapshot.summary ? formatBytes(snapshot.summary.bytesProcessed) : '-',
    printable(snapshot.paths.join(' ')),
  ];
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
