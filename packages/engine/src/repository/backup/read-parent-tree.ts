import type { BlobReader } from '../blob-reader.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { compressedPart, plainPart, type TreePart } from '../tree-part.ts';

/** A tree as `ParentTree` takes it; that of a huge folder compressed part by part. Throws as `BlobReader.read`. */
export async function readParentTree(blobs: BlobReader, id: Uint8Array): Promise<TreePart[]> {
  if (blobs.sizeOf(id, 'tree') <= LARGE_TREE_BYTES) return [plainPart(await blobs.read(id, 'tree'))];
  return await blobs.mapLargeTree(id, compressedPart);
}
