/** The layout of a sparse file in an archive, in whatever format it was written. */
import type { DataSegment } from '../ports/source.ts';
import type { ByteSource } from './byte-source.ts';
import { checkSegments } from './sparse-map.ts';
import { readOldSparseMap, readSparseMap10 } from './sparse-map-reader.ts';
import { type Member, numberOf, textOf } from './tar-member-reader.ts';

/** What is data in a sparse file. */
export interface SparseLayout {
  readonly sizeBytes: number;
  readonly segments: readonly DataSegment[];
  /** Data bytes that follow in the archive. */
  readonly dataBytes: number;
}

/** Whether a file of this member has a layout. */
export function isSparse({ record, attributes: { values } }: Member): boolean {
  return record !== null || values.has('GNU.sparse.realsize') || values.has('GNU.sparse.size');
}

/** Reads its map, also what of it stands in the data. Throws ARTIFACT_DAMAGED. */
export async function readSparseLayout(
  source: ByteSource,
  member: Member,
  storedBytes: number,
): Promise<SparseLayout | null> {
  if (member.record) {
    const old = await readOldSparseMap(source, member.record);
    const sizeBytes = numberOf(member, 'GNU.sparse.size') ?? old.sizeBytes;
    return { sizeBytes, segments: checkSegments(old.pairs, sizeBytes, storedBytes), dataBytes: storedBytes };
  }
  const sizeBytes = numberOf(member, 'GNU.sparse.realsize') ?? numberOf(member, 'GNU.sparse.size');
  if (sizeBytes === null) return null;
  if (textOf(member, 'GNU.sparse.major') === '1') {
    const map = await readSparseMap10(source, storedBytes);
    const dataBytes = storedBytes - map.mapBytes;
    return { sizeBytes, segments: checkSegments(map.pairs, sizeBytes, dataBytes), dataBytes };
  }
  const pairs = member.attributes.sparsePairs;
  if (!pairs) return null;
  return { sizeBytes, segments: checkSegments(pairs, sizeBytes, storedBytes), dataBytes: storedBytes };
}
