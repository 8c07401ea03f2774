/** Which collections of an archive are restored, where to, and whether that may be. */
import { AppError } from '@backupx/contracts/errors';
import { orCancelled } from '../../ports/pull-body.ts';
import { BUCKETS_PREFIX, type CollectionMetadata, type Namespace, namespaceName } from './archive-format.ts';
import { type CollectionDetails, readDetails } from './archive-prelude.ts';
import type { InsertCounts } from './native-insert.ts';
import type { NativeRestoreOptions } from './native-options.ts';
import type { NativeServer } from './native-server.ts';

/** A collection on its way back. */
export interface PlannedCollection {
  readonly about: CollectionMetadata;
  readonly details: CollectionDetails;
  readonly to: Namespace;
  /** Where its documents go: of a time series to its buckets. */
  readonly stream: Namespace;
  /** True: it is there and stays. */
  exists: boolean;
  isCreated: boolean;
  readonly counts: InsertCounts;
}

/** By their names in the archive. Throws DATABASE_EXISTS, DATABASE_TOOL_FAILED, errors of the driver. */
export async function planRestore(
  abouts: readonly CollectionMetadata[],
  options: NativeRestoreOptions,
  server: NativeServer,
): Promise<Map<string, PlannedCollection>> {
  const { wants = () => true, rename = (from: Namespace) => from } = options;
  const planned = new Map<string, PlannedCollection>();
  for (const about of abouts) {
    const from = { db: about.db, collection: about.collection };
    if (!wants(from)) continue;
    if (isSpecial(from)) {
      options.note(`Left out ${namespaceName(from)}: users, roles and the operations log need mongorestore.`);
      continue;
    }
    const to = rename(from);
    const isBuckets = about.type === 'timeseries' && !server.hasPlainSeries;
    planned.set(namespaceName(from), {
      about,
      details: readDetails(about),
      to,
      stream: isBuckets ? { db: to.db, collection: `${BUCKETS_PREFIX}${to.collection}` } : to,
      exists: false,
      isCreated: false,
      counts: { documents: 0, bytes: 0, refused: 0, firstRefusal: null },
    });
  }
  assertDistinct([...planned.values()]);
  await findExisting([...planned.values()], options, server);
  return planned;
}

function isSpecial({ db, collection }: Namespace): boolean {
  return (
    db === '' || collection.startsWith('$admin.') || (collection.startsWith('system.') && collection !== 'system.js')
  );
}

function assertDistinct(planned: readonly PlannedCollection[]): void {
  const seen = new Set<string>();
  for (const { to } of planned) {
    const name = namespaceName(to);
    if (seen.has(name)) {
      const reason = `two collections of the dump would both become ${name}`;
      throw new AppError('DATABASE_TOOL_FAILED', { tool: 'The restore', reason });
    }
    seen.add(name);
  }
}

async function findExisting(
  planned: readonly PlannedCollection[],
  { client, signal, existing }: NativeRestoreOptions,
  server: NativeServer,
): Promise<void> {
  const present = new Set<string>();
  for (const db of new Set(planned.map(({ to }) => to.db))) {
    const names = await orCancelled(client.db(db).listCollections({}, { nameOnly: true, signal }).toArray(), signal);
    for (const { name } of names) present.add(namespaceName({ db, collection: name }));
  }
  for (const collection of planned) {
    const name = namespaceName(collection.to);
    collection.exists = present.has(name);
    if (collection.exists && existing === 'refuse') {
      throw new AppError('DATABASE_EXISTS', { name: `The collection ${name}`, server: server.address });
    }
  }
}
