/**
 * Turns the pieces that files need into few reads of packs: each blob once, in stretches with small gaps, in the order
 * in which the files come.
 */

/** Further apart than this, two blobs are worth two requests: the bytes between would cost more. */
export const MAX_GAP_BYTES = 1024 * 1024;
export const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

/** A place in a file that a blob belongs to. */
export interface PieceTarget<F> {
  readonly file: F;
  readonly position: number;
}

export interface NeededBlob<F> {
  /** Number in the index. */
  readonly entry: number;
  readonly packNumber: number;
  readonly offset: number;
  readonly storedLength: number;
  /** When it is needed: lower comes first. */
  readonly order: number;
  readonly targets: readonly PieceTarget<F>[];
}

/** One read of a pack: bytes `start` to `end` (excluded). */
export interface PackRequest<F> {
  readonly packNumber: number;
  readonly start: number;
  readonly end: number;
  /** In the order in which they are needed. */
  readonly blobs: readonly NeededBlob<F>[];
}

/** Takes each blob once; what is needed first is read first. A blob that is larger than a request gets its own. */
export function planRequests<F>(blobs: readonly NeededBlob<F>[]): PackRequest<F>[] {
  const byPlace = [...blobs].sort((a, b) => a.packNumber - b.packNumber || a.offset - b.offset);
  const stretches: NeededBlob<F>[][] = [];
  let current: NeededBlob<F>[] = [];
  for (const blob of byPlace) {
    if (!fits(blob, current)) {
      current = [];
      stretches.push(current);
    }
    current.push(blob);
  }
  return stretches.map(toRequest).sort((a, b) => firstOrder(a) - firstOrder(b));
}

function fits<F>(blob: NeededBlob<F>, stretch: readonly NeededBlob<F>[]): boolean {
  const first = stretch[0];
  const last = stretch.at(-1);
  if (!first || !last || last.packNumber !== blob.packNumber) return false;
  const gap = blob.offset - (last.offset + last.storedLength);
  return gap <= MAX_GAP_BYTES && blob.offset + blob.storedLength - first.offset <= MAX_REQUEST_BYTES;
}

function firstOrder<F>({ blobs }: PackRequest<F>): number {
  return blobs[0]?.order ?? 0;
}

function toRequest<F>(stretch: NeededBlob<F>[]): PackRequest<F> {
  const { packNumber = 0, offset: start = 0 } = stretch[0] ?? {};
  const last = stretch.at(-1);
  const end = last ? last.offset + last.storedLength : start;
  return { packNumber, start, end, blobs: stretch.sort((a, b) => a.order - b.order) };
}
