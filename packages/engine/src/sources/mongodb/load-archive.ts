/** An archive on its way into a server, by mongorestore or by ourselves; read to its end and found whole, or an error. */
import { AppError } from '@backupx/contracts/errors';
import { drain, isSuccess } from '../../ports/processes.ts';
import type { ArchiveInventory, CollectionMetadata, Namespace } from './archive-format.ts';
import { ArchiveError, BUCKETS_PREFIX } from './archive-format.ts';
import { ArchiveReader } from './archive-reader.ts';
import { scannedArchive } from './archive-scanner.ts';
import type { MongodbConnection } from './connection.ts';
import { driverError, toolError } from './failures.ts';
import { restoreArchiveNatively } from './native-restore.ts';
import type { Tool } from './tools.ts';
import { killWhenServerDies } from './watch-output.ts';

/** Where the collections of an archive go. */
export interface LoadPlan {
  /** Put before the name of each collection that is not in `direct`. */
  readonly prefix: string;
  readonly target: string;
  /** Collections that keep their names, because they cannot be renamed. */
  readonly direct: readonly string[];
  /** Null: all. */
  readonly wanted: ReadonlySet<string> | null;
}

export interface LoadOptions {
  readonly connection: MongodbConnection;
  /** Null: the native path. */
  readonly tool: Tool | null;
  /** Whose dump it is: an archive with anything else in it is not loaded. */
  readonly database: string;
  readonly content: AsyncIterable<Uint8Array>;
  /** Asked when it is known what the archive holds, before anything of it is loaded. */
  plan(collections: readonly CollectionMetadata[]): Promise<LoadPlan> | LoadPlan;
  note(message: string): void;
}

/** Throws DATABASE_DUMP_DAMAGED, and what the server or the program says. What was loaded until then stays. */
export async function loadArchive(options: LoadOptions): Promise<ArchiveInventory> {
  const { database, content } = options;
  let inventory: ArchiveInventory | null = null;
  const archive = scannedArchive(content, {
    onInventory: (found) => {
      inventory = found;
    },
    failure: (reason) => damaged(database, reason),
  });
  const { collections, bytes } = await peek(archive, database);
  const foreign = collections.find(({ db }) => db !== database);
  if (foreign) throw damaged(database, `it holds ${foreign.db}.${foreign.collection} too`);
  const plan = await options.plan(collections);
  const whole = chain(bytes, archive);
  if (options.tool) await loadWithTool({ ...options, tool: options.tool }, plan, whole);
  else await loadNatively(options, plan, whole);
  // The programs stop at the end they see; the check goes on to the real one.
  for await (const _ of whole);
  if (!inventory) throw damaged(database, 'its end is missing');
  return inventory;
}

const damaged = (name: string, reason: string): AppError => new AppError('DATABASE_DUMP_DAMAGED', { name, reason });

/** Reads until it is known what the archive holds; answers the bytes too. */
async function peek(
  archive: AsyncGenerator<Uint8Array>,
  database: string,
): Promise<{ collections: CollectionMetadata[]; bytes: Uint8Array[] }> {
  const reader = new ArchiveReader();
  const collections: CollectionMetadata[] = [];
  const bytes: Uint8Array[] = [];
  try {
    for (;;) {
      const next = await archive.next();
      if (next.done) return { collections, bytes };
      bytes.push(Buffer.from(next.value));
      let isKnown = false;
      for (const event of reader.push(next.value)) {
        if (event.kind === 'collection') collections.push(event.collection);
        isKnown ||= event.kind === 'contents';
      }
      if (isKnown) return { collections, bytes };
    }
  } catch (error) {
    throw error instanceof ArchiveError ? damaged(database, error.message) : error;
  }
}

async function* chain(first: readonly Uint8Array[], rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* rest;
}

/** In patterns of the programs a star, a dollar and a backslash mean something. */
const literal = (name: string): string => name.replace(/[\\*$]/g, '\\$&');

/** A time series has its documents in a collection of its own. */
const namesOf = (name: string): string[] => [name, `${BUCKETS_PREFIX}${name}`];

function restoreArgs(database: string, { target, prefix, direct, wanted }: LoadPlan): string[] {
  const rename = (from: string, to: string) => [`--nsFrom=${from}`, `--nsTo=${to}`];
  const [source, place] = [literal(database), literal(target)];
  return [
    // In the order of the archive, so that a dump of what was restored is like the first one; stops at an error.
    ...['--archive', '--maintainInsertionOrder'],
    ...[...(wanted ?? [])].flatMap(namesOf).map((name) => `--nsInclude=${source}.${literal(name)}`),
    ...direct.flatMap(namesOf).flatMap((one) => rename(`${source}.${literal(one)}`, `${place}.${literal(one)}`)),
    ...rename(`${source}.*`, `${place}.${literal(prefix)}*`),
  ];
}

async function loadWithTool(
  { connection, tool, database }: LoadOptions & { readonly tool: Tool },
  plan: LoadPlan,
  archive: AsyncGenerator<Uint8Array>,
): Promise<void> {
  await feed(connection, { tool, args: restoreArgs(database, plan), archive, doing: `restore ${plan.target}` });
}

/** Runs mongorestore on an archive. Throws what it says, and what the archive throws. */
export async function feed(
  connection: MongodbConnection,
  {
    tool,
    args,
    archive,
    doing,
  }: { tool: Tool; args: readonly string[]; archive: AsyncGenerator<Uint8Array>; doing: string },
): Promise<void> {
  const running = connection.start(tool, args);
  const read = drain(running.output);
  const lost = killWhenServerDies(connection, running);
  try {
    // By hand: leaving a loop would end the archive, which is read to its end also when the program wants no more.
    for (let next = await archive.next(); !next.done; next = await archive.next()) {
      if (!(await running.write(next.value))) break;
    }
    running.endInput();
    await read;
  } catch (error) {
    running.kill();
    await running.ended;
    throw error;
  }
  const end = await running.ended;
  const loss = await lost;
  if (connection.signal.aborted) throw new AppError('CANCELLED');
  if (loss) throw loss;
  if (!isSuccess(end)) throw toolError(end, { tool: tool.name, doing, config: connection.config });
}

async function loadNatively(
  { connection, database, note }: LoadOptions,
  { target, prefix, direct, wanted }: LoadPlan,
  archive: AsyncGenerator<Uint8Array>,
): Promise<void> {
  const { client, signal, config } = connection;
  const kept = new Set(direct);
  const rename = ({ collection }: Namespace): Namespace => ({
    db: target,
    collection: kept.has(collection) ? collection : `${prefix}${collection}`,
  });
  const wants = ({ collection }: Namespace) => wanted === null || wanted.has(collection);
  try {
    const common = { client, signal, label: database, existing: 'refuse' as const, note };
    await restoreArchiveNatively(archive, { ...common, rename, wants });
  } catch (error) {
    if (signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
    throw driverError(error, { config, doing: `restore ${target}` });
  }
}
