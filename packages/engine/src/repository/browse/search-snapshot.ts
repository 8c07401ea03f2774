import type { ArtifactEntry } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import type { EntryPage, PageRange } from './list-folder.ts';
import { nodeEntry } from './node-entry.ts';
import type { TreeLoader } from './tree-loader.ts';
import { childPath, walkFolders } from './walk-folders.ts';

export interface SearchQuery extends PageRange {
  /** Part of a name, case-insensitive. */
  readonly search: string;
  /** Asked once per folder when the page is full: true ends the counting. */
  readonly isTimeUp: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Searches the names of a whole snapshot. When the time is up, `total` is what was counted so far and at least one more
 * than the page holds, so that the next page can be asked for; a page that is not full yet is always searched to the end.
 */
export async function searchSnapshot(loader: TreeLoader, root: Uint8Array, query: SearchQuery): Promise<EntryPage> {
  const wanted = query.search.toLowerCase();
  const entries: ArtifactEntry[] = [];
  const end = query.offset + query.limit;
  let total = 0;
  await walkFolders(loader, { path: '', treeId: root }, ({ path, tree }) => {
    throwIfCancelled(query.signal);
    for (let number = 0; number < tree.count; number += 1) {
      const name = tree.nameOf(number);
      if (!displayPath(name).toLowerCase().includes(wanted)) continue;
      if (total >= query.offset && total < end) entries.push(nodeEntry(tree.nodeAt(number), childPath(path, name)));
      total += 1;
    }
    return total > end && query.isTimeUp() ? 'stop' : undefined;
  });
  return { entries, total };
}
