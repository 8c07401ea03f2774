/**
 * Maps of sparse files. Written as GNU format 1.0 (decimal numbers, one a line, in front of the data); GNU tar seeks
 * over the holes on extraction. GNU tar stores every stretch in whole records, so stretches start and end at 512.
 */
import { AppError } from '@backupx/contracts/errors';
import type { DataSegment } from '../ports/source.ts';
import { paddingOf, RECORD_BYTES } from './tar-format.ts';

/** More stretches than this are not worth their map: small holes are filled in until it fits. */
const MAX_WRITTEN_SEGMENTS = 50_000;
/** Bound on what a reader keeps of a foreign map. */
export const MAX_READ_SEGMENTS = 500_000;

/** Widens stretches to record borders, joins neighbours, clips at `sizeBytes`. Input ascending. */
export function alignSegments(segments: readonly DataSegment[], sizeBytes: number): DataSegment[] {
  const aligned: { offset: number; length: number }[] = [];
  for (const segment of segments) {
    const start = segment.offset - (segment.offset % RECORD_BYTES);
    const dataEnd = Math.min(segment.offset + segment.length, sizeBytes);
    const end = Math.min(dataEnd + paddingOf(dataEnd), sizeBytes);
    if (end <= start) continue;
    const last = aligned.at(-1);
    if (last && start <= last.offset + last.length) last.length = Math.max(last.length, end - last.offset);
    else aligned.push({ offset: start, length: end - start });
  }
  return joinSmallHoles(aligned);
}

function joinSmallHoles(segments: DataSegment[]): DataSegment[] {
  let current = segments;
  for (let hole = 4096; current.length > MAX_WRITTEN_SEGMENTS; hole *= 2) {
    const joined: { offset: number; length: number }[] = [];
    for (const segment of current) {
      const last = joined.at(-1);
      if (last && segment.offset - (last.offset + last.length) <= hole) {
        last.length = segment.offset + segment.length - last.offset;
      } else joined.push({ ...segment });
    }
    current = joined;
  }
  return current;
}

export function dataBytesOf(segments: readonly DataSegment[]): number {
  let total = 0;
  for (const segment of segments) total += segment.length;
  return total;
}

/** The map as it stands before the data, filled up to whole records. */
export function encodeSparseMap(segments: readonly DataSegment[], sizeBytes: number): Buffer {
  const last = segments.at(-1);
  const endsInHole = !last || last.offset + last.length < sizeBytes;
  const lines = [segments.length + (endsInHole ? 1 : 0)];
  for (const segment of segments) lines.push(segment.offset, segment.length);
  // An empty stretch at the end tells a reader how far the last hole goes.
  if (endsInHole) lines.push(sizeBytes, 0);
  const text = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
  return Buffer.concat([text, Buffer.alloc(paddingOf(text.byteLength))]);
}

/**
 * Checks a map read from an archive (pairs of offset and length) and drops its empty stretches.
 * Throws ARTIFACT_DAMAGED when it is not ascending, leaves the file, or wants more data than there is.
 */
export function checkSegments(pairs: readonly number[], sizeBytes: number, dataBytes: number): DataSegment[] {
  const segments: DataSegment[] = [];
  let position = 0;
  let total = 0;
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const offset = pairs[index] ?? 0;
    const length = pairs[index + 1] ?? 0;
    if (length === 0) continue;
    if (offset < position || offset + length > sizeBytes) throw damagedMap();
    position = offset + length;
    total += length;
    segments.push({ offset, length });
  }
  if (total > dataBytes) throw damagedMap();
  return segments;
}

export function damagedMap(): AppError {
  return new AppError('ARTIFACT_DAMAGED', { reason: 'the map of a sparse file in the archive is malformed' });
}
