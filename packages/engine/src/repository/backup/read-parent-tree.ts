import type { BlobReader } from '../blob-reader.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { compressedPart, plainPart, type TreePart } from '../tree-part.ts';

/** A tree as `ParentTree` takes it; that of a huge folder compressed part by part. Throws as `BlobReader.read`. */
export async function readParentTree(blobs: BlobReader, id: Uint8Array): Promise<TreePart[]> {
  if (blobs.sizeOf(id, 'tree') <= LARGE_TREE_BYTES) return [plainPart(await blobs.read(id, 'tree'))];
  const parts: TreePart[] = [];
  const tree = await blobs.openLargeTree(id);
  for await (const piece of tree.pieces()) parts.push(compressedPart(piece));
  return parts;
}
