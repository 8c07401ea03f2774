/** Collections, views and indexes made as an archive describes them. */
import type { MongoClient } from 'mongodb';
import { namespaceName } from './archive-format.ts';
import type { OrderedDocument } from './bson-ordered.ts';
import { lateSignal } from './late-signal.ts';
import type { NativeRestoreOptions } from './native-options.ts';
import type { PlannedCollection } from './native-plan.ts';

/** Options that servers list and do not take, or take no more: all of them can only be what they are by default now. */
const LISTED_ONLY = ['autoIndexId', 'recordIdsReplicated', 'temp'];
/** Of an index: the server chooses its version, and its namespace is another one now. */
const INDEX_LISTED_ONLY = ['v', 'ns'];

/** Makes a collection or view as it was, in place of the one that is there when that was asked for. */
export async function createCollection(planned: PlannedCollection, options: NativeRestoreOptions): Promise<void> {
  const { client, signal, existing, note } = options;
  const { details, to } = planned;
  planned.isCreated = true;
  const db = client.db(to.db);
  if (planned.exists && existing === 'add') {
    note(`${namespaceName(to)} is there already: documents are added to it, its options stay as they are.`);
    return;
  }
  if (planned.exists) await db.command({ drop: to.collection }, { signal });
  planned.exists = false;
  const chosen = new Map([...details.options].filter(([name]) => !LISTED_ONLY.includes(name)));
  signal.throwIfAborted();
  await db.command({ create: to.collection, ...Object.fromEntries(chosen) }, { signal: lateSignal(signal) });
}

/** Makes the indexes one by one. Answers how many there are, and why one was refused. */
export async function createIndexes(
  { to, details }: PlannedCollection,
  { client, signal }: { readonly client: MongoClient; readonly signal: AbortSignal },
): Promise<{ readonly made: number; readonly refusals: readonly string[] }> {
  const refusals: string[] = [];
  let made = 0;
  for (const index of details.indexes) {
    if (isOfCollection(index)) continue;
    const definition = new Map([...index].filter(([name]) => !INDEX_LISTED_ONLY.includes(name)));
    const command = { createIndexes: to.collection, indexes: [definition], ignoreUnknownIndexOptions: true };
    try {
      await client.db(to.db).command(command, { signal });
      made += 1;
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') throw error;
      refusals.push(`index ${String(index.get('name'))}: ${error.message}`);
    }
  }
  return { made, refusals };
}

/** Comes with its collection. */
function isOfCollection(index: OrderedDocument): boolean {
  return index.get('name') === '_id_' || index.get('clustered') !== undefined;
}
