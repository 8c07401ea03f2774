import { AppError } from '@backupx/contracts/errors';
import { BitSet } from '../bit-set.ts';
import { createBlobReader } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { parseIndex } from '../format/index-file.ts';
import { listRoots, type SnapshotRoot } from '../snapshots.ts';
import { type LoadedIndex, listNames, loadIndexFiles } from './index-files.ts';
import { findLiveBlobs } from './live-blobs.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { PackTable } from './pack-table.ts';
import { listStoredPacks, type StoredPacks } from './stored-packs.ts';

/** Lists of the snapshots at most, while new ones come. */
const MAX_LISTS = 4;

/** What is in a repository and what of it is needed. */
export interface Survey {
  readonly snapshots: readonly SnapshotRoot[];
  readonly loaded: LoadedIndex;
  readonly table: PackTable;
  readonly stored: StoredPacks;
  /** First entries of all blobs that a snapshot needs. */
  readonly live: BitSet;
}

/**
 * Looks at everything, in this order: snapshots, index, packs. So nothing that a snapshot needs is missed while others
 * write. Throws REPOSITORY_DAMAGED when it cannot be known what is needed.
 */
export async function surveyRepository(work: MaintenanceWork): Promise<Survey> {
  const { repository, signal } = work;
  const snapshots = await readListedSnapshots(work);
  const loaded = await loadIndexFiles(work);
  const { index } = loaded;
  const table = new PackTable(index);
  const stored = await listStoredPacks(work, table);
  const live = new BitSet(index.count);
  await findLiveBlobs(
    snapshots.map(({ tree }) => tree),
    {
      index,
      reader: createBlobReader({ repository, index, signal }),
      signal,
      live,
      onTree: (id) => work.onItem?.(toHex(id)),
    },
  );
  return { snapshots, loaded, table, stored, live };
}

/**
 * All snapshots. One that is listed and cannot be found was removed meanwhile, or the storage fails: as long as it is
 * listed nothing may be taken for unneeded. Throws STORAGE_FAILED then, REPOSITORY_DAMAGED for one that is damaged.
 */
async function readListedSnapshots({ repository, signal, ...work }: MaintenanceWork): Promise<SnapshotRoot[]> {
  let doubtful = new Set<string>();
  for (let attempt = 1; ; attempt += 1) {
    const snapshots = await listRoots(repository, signal);
    const known = new Set(snapshots.map(({ id }) => id));
    const unread = (await listNames({ repository, signal, ...work }, 'snapshots')).filter((name) => !known.has(name));
    const [lost] = unread.filter((name) => doubtful.has(name));
    if (lost !== undefined) {
      throw new AppError('STORAGE_FAILED', { reason: `it lists snapshots/${lost} but does not give it back` });
    }
    // Those saved since the list was read are looked at too. Where more come all the time, work goes on beside a mark
    // or a sweep, which do not depend on the last of them.
    if (unread.length === 0 || attempt === MAX_LISTS) return snapshots;
    doubtful = new Set(unread);
  }
}

/** Whether a pack is there and as long as the index says. */
export function isWhole({ table, stored }: Pick<Survey, 'table' | 'stored'>, pack: number): boolean {
  return stored.sizes[pack] === table.sizes[pack];
}

/** Throws REPOSITORY_DAMAGED when a blob that is needed is in no pack that can be used. */
export function assertNothingLost(survey: Survey, lost: readonly number[]): void {
  const [first] = lost;
  if (first === undefined) return;
  const { table, stored } = survey;
  const pack = table.packOf(first);
  const size = stored.sizes[pack] ?? -1;
  const what = size < 0 ? 'is missing' : `has ${size} bytes instead of ${table.sizes[pack]}`;
  const blob = `${table.index.typeOf(first)} blob ${toHex(table.index.idOf(first))}`;
  throw new AppError('REPOSITORY_DAMAGED', { reason: `pack ${table.hexOf(pack)} with ${blob} ${what}` });
}

/** Packs (hex) that index files name which were not there before. */
export async function packsNamedSince(work: MaintenanceWork, known: ReadonlySet<string>): Promise<Set<string>> {
  const { repository, signal } = work;
  const named = new Set<string>();
  for (const name of await listNames(work, 'index')) {
    if (known.has(name)) continue;
    parseIndex(
      await repository.readFile('index', name, signal),
      (id) => {
        named.add(toHex(id));
        return 0;
      },
      () => {},
    );
  }
  return named;
}
