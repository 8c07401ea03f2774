/** The snapshots of a repository: listing, finding, saving. */
import { hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { SnapshotInfo } from '@backupx/contracts/jobs';
import { parseGoTime } from './format/go-time.ts';
import { packSnapshot, parseSnapshot, type Snapshot } from './format/snapshot-file.ts';
import type { Repository } from './open-repository.ts';

const READS_AT_ONCE = 8;

/** Hears of a file that cannot be read. */
type OnDamaged = (name: string, error: AppError) => void;

/** What is needed to walk through a snapshot; a whole one may have thousands of paths. */
export type SnapshotRoot = Pick<Snapshot, 'id' | 'tree'>;

/**
 * All snapshots, oldest first. `onDamaged` hears of files that cannot be read, which are then left out; without it the
 * first of them is thrown (REPOSITORY_DAMAGED). One that is removed meanwhile is left out.
 */
export async function listSnapshots(
  repository: Repository,
  signal: AbortSignal,
  onDamaged?: OnDamaged,
): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  const alike = new AlikeParts();
  await visitSnapshots(repository, { signal, onDamaged }, (snapshot) => snapshots.push(alike.shared(snapshot)));
  return sortByTime(snapshots);
}

/** Most snapshots of a repository were made of the same paths: those thousands are held once, not once for each. */
class AlikeParts {
  readonly #texts = new Map<string, string>();
  /** By their hash: keys as long as the lists would be all of them again. */
  readonly #lists = new Map<string, readonly string[]>();

  /** The same snapshot with what others before it said as well in common with these. */
  shared(snapshot: Snapshot): Snapshot {
    const { hostname, username, programVersion, paths, tags, excludes } = snapshot;
    return {
      ...snapshot,
      hostname: this.#text(hostname),
      username: this.#text(username),
      programVersion: this.#text(programVersion),
      paths: this.#list(paths),
      tags: this.#list(tags),
      excludes: this.#list(excludes),
    };
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }

  #list(list: readonly string[]): readonly string[] {
    const key = hash('sha256', JSON.stringify(list), 'binary');
    const known = this.#lists.get(key);
    if (known === undefined) this.#lists.set(key, list);
    return known ?? list;
  }
}

/** The same, holding of each no more than its root. */
export async function listRoots(
  repository: Repository,
  signal: AbortSignal,
  onDamaged?: OnDamaged,
): Promise<SnapshotRoot[]> {
  const roots: (SnapshotRoot & { readonly time: string })[] = [];
  await visitSnapshots(repository, { signal, onDamaged }, ({ id, tree, time }) => roots.push({ id, tree, time }));
  return sortByTime(roots);
}

/** The newest one that is wanted; null: there is none. Holds no other. Throws like `listSnapshots`. */
export async function newestSnapshot(
  repository: Repository,
  isWanted: (snapshot: Snapshot) => boolean,
  signal: AbortSignal,
): Promise<Snapshot | null> {
  let newest: Keyed<Snapshot> | null = null;
  await visitSnapshots(repository, { signal }, (snapshot) => {
    const keyed = keyOf(snapshot);
    if (isWanted(snapshot) && (newest === null || inTime(newest, keyed) < 0)) newest = keyed;
  });
  return (newest as Keyed<Snapshot> | null)?.snapshot ?? null;
}

/** Hands over each snapshot once, in any order. */
async function visitSnapshots(
  repository: Repository,
  { signal, onDamaged }: { readonly signal: AbortSignal; readonly onDamaged?: OnDamaged | undefined },
  visit: (snapshot: Snapshot) => void,
): Promise<void> {
  const names: string[] = [];
  for await (const { name } of repository.list('snapshots', signal)) names.push(name);
  const waiting = names.values();
  const readNext = async () => {
    for (const name of waiting) {
      try {
        visit(await readSnapshot(repository, name, signal));
      } catch (error) {
        if (isCode(error, 'SNAPSHOT_NOT_FOUND')) continue;
        if (!onDamaged || !isCode(error, 'REPOSITORY_DAMAGED')) throw error;
        onDamaged(name, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, names.length) }, readNext));
}

function isCode(error: unknown, code: AppError['code']): error is AppError {
  return error instanceof AppError && error.code === code;
}

type Dated = Pick<Snapshot, 'id' | 'time'>;

interface Keyed<S> {
  readonly snapshot: S;
  readonly at: bigint;
}

function keyOf<S extends Dated>(snapshot: S): Keyed<S> {
  return { snapshot, at: parseGoTime(snapshot.time) };
}

function inTime(a: Keyed<Dated>, b: Keyed<Dated>): number {
  return a.at === b.at ? compare(a.snapshot.id, b.snapshot.id) : a.at < b.at ? -1 : 1;
}

function sortByTime<S extends Dated>(snapshots: S[]): S[] {
  return snapshots
    .map(keyOf)
    .sort(inTime)
    .map(({ snapshot }) => snapshot);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function readSnapshot(repository: Repository, name: string, signal: AbortSignal): Promise<Snapshot> {
  try {
    return parseSnapshot(name, await repository.readFile('snapshots', name, signal));
  } catch (error) {
    if (!isCode(error, 'STORAGE_NOT_FOUND')) throw error;
    throw new AppError('SNAPSHOT_NOT_FOUND', { id: name }, { cause: error });
  }
}

/**
 * The snapshot whose id begins with `text` (hex), or the newest for `latest`. Throws SNAPSHOT_NOT_FOUND,
 * SNAPSHOT_AMBIGUOUS, REPOSITORY_DAMAGED.
 */
export async function findSnapshot(repository: Repository, text: string, signal: AbortSignal): Promise<Snapshot> {
  if (text === 'latest') {
    const newest = await newestSnapshot(repository, () => true, signal);
    if (!newest) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
    return newest;
  }
  const wanted = text.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(wanted)) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
  if (wanted.length === 64) return await readSnapshot(repository, wanted, signal);
  const found: string[] = [];
  for await (const { name } of repository.list('snapshots', signal)) if (name.startsWith(wanted)) found.push(name);
  const [only] = found;
  if (only === undefined) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
  if (found.length > 1) throw new AppError('SNAPSHOT_AMBIGUOUS', { id: text });
  return await readSnapshot(repository, only, signal);
}

/**
 * Stores a snapshot. Everything it needs must be named by an index already. Throws STORAGE_FAILED when it got lost.
 */
export async function saveSnapshot(
  repository: Repository,
  snapshot: Omit<Snapshot, 'id'>,
  signal: AbortSignal,
): Promise<Snapshot> {
  const id = await repository.saveFile('snapshots', packSnapshot(snapshot), signal);
  return { id, ...snapshot };
}

/** A snapshot as results of jobs show it. Its lists are the snapshot's own, so that what many have in common stays one. */
export function snapshotInfo(snapshot: Snapshot): SnapshotInfo {
  const { id, time, hostname, username, paths, tags, tree, parent, programVersion, summary } = snapshot;
  return {
    ...{ id, time, hostname, username, tree, parent, programVersion },
    paths: paths as string[],
    tags: tags as string[],
    summary: summary && {
      filesNew: summary.filesNew,
      filesChanged: summary.filesChanged,
      filesUnmodified: summary.filesUnmodified,
      bytesAdded: summary.dataAdded,
      bytesStored: summary.dataAddedPacked,
      filesProcessed: summary.totalFilesProcessed,
      bytesProcessed: summary.totalBytesProcessed,
    },
  };
}
