/** A snapshot opened for reading: what browsing, comparing and streaming need of it. */
import type { BlobIndex } from '../repository/blob-index.ts';
import { createBlobReader } from '../repository/blob-reader.ts';
import type { ReadBlob } from '../repository/browse/read-content.ts';
import { TreeLoader } from '../repository/browse/tree-loader.ts';
import type { Repository } from '../repository/open-repository.ts';

export interface RepositoryView {
  readonly index: BlobIndex;
  readonly loader: TreeLoader;
  /** Content of files, verified. */
  readonly readData: ReadBlob;
}

/** Blobs are read with one cache for trees and contents; see `TreeLoader` for `keepTreeBytes`. */
export function viewRepository(
  repository: Repository,
  index: BlobIndex,
  options: { readonly signal: AbortSignal; readonly keepTreeBytes?: number },
): RepositoryView {
  const { signal, keepTreeBytes } = options;
  const reader = createBlobReader({ repository, index, signal });
  return {
    index,
    loader: new TreeLoader(reader, keepTreeBytes),
    readData: (id) => reader.read(id, 'data'),
  };
}
