const MIB = 1024 * 1024;

/** Smallest part; S3 demands at least 5 MiB for all parts but the last. */
export const FIRST_PART_BYTES = 8 * MIB;
/** Highest part number S3 allows. */
export const MAX_PARTS = 10_000;
const LARGEST_PART_BYTES = 1024 * MIB;
/** Parts grow by this factor, so that the size of a part stays a small fraction of what was sent before it. */
const GROWTH = 1.0008;

/**
 * Size in bytes of part `partNumber` (from 1). Of an object of unknown length the parts grow slowly: 8 MiB at first,
 * 16 MiB after 10 GiB, 1 GiB after 1 TiB; 10,000 of them hold more than 5 TB. A known length is divided evenly.
 */
export function partSizeBytes(partNumber: number, knownSizeBytes?: number): number {
  const even = knownSizeBytes === undefined ? 0 : Math.ceil(knownSizeBytes / (MAX_PARTS - 100));
  const grown = knownSizeBytes === undefined ? FIRST_PART_BYTES * GROWTH ** (partNumber - 1) : FIRST_PART_BYTES;
  const wanted = Math.max(even, grown);
  return Math.min(LARGEST_PART_BYTES, Math.ceil(wanted / MIB) * MIB);
}
