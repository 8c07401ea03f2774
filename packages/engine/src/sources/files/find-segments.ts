import type { DataSegment } from '../../ports/source.ts';

const SCAN_BYTES = 1024 * 1024;
const MAX_SEGMENTS = 65_536;
const zeros = Buffer.alloc(SCAN_BYTES);

/**
 * Data stretches of a file that has fewer blocks than its size needs. The runtime has no SEEK_HOLE, so the file is
 * read once and runs of zeros of at least `unit` bytes (aligned) count as holes. Bounded: past 65,536 stretches the
 * closest ones are joined. `read` fills the buffer from a position and answers the byte count, 0 at the end.
 */
export function findSegments(
  read: (target: Uint8Array, position: number) => number,
  sizeBytes: number,
  unit = 4096,
): DataSegment[] {
  const buffer = Buffer.allocUnsafe(SCAN_BYTES);
  let segments: DataSegment[] = [];
  let minimumHole = unit;
  let position = 0;
  while (position < sizeBytes) {
    const got = read(buffer, position);
    if (got <= 0) break;
    const length = Math.min(got, sizeBytes - position);
    scanBuffer({ buffer, length, position, unit }, (start, end) => append(segments, start, end, minimumHole));
    while (segments.length > MAX_SEGMENTS) {
      minimumHole *= 4;
      segments = joinClose(segments, minimumHole);
    }
    position += length;
  }
  return segments;
}

interface Scan {
  readonly buffer: Buffer;
  readonly length: number;
  readonly position: number;
  readonly unit: number;
}

function scanBuffer(scan: Scan, onData: (start: number, end: number) => void): void {
  const { buffer, length, position, unit } = scan;
  if (length === SCAN_BYTES && buffer.equals(zeros)) return;
  for (let at = 0; at < length; ) {
    const step = Math.min(length, at + unit - ((position + at) % unit));
    if (buffer.compare(zeros, 0, step - at, at, step) !== 0) onData(position + at, position + step);
    at = step;
  }
}

function append(segments: DataSegment[], start: number, end: number, minimumHole: number): void {
  const last = segments.at(-1);
  const lastEnd = last ? last.offset + last.length : 0;
  if (last && start - lastEnd < minimumHole) {
    segments[segments.length - 1] = { offset: last.offset, length: end - last.offset };
  } else segments.push({ offset: start, length: end - start });
}

function joinClose(segments: readonly DataSegment[], minimumHole: number): DataSegment[] {
  const joined: DataSegment[] = [];
  for (const segment of segments) append(joined, segment.offset, segment.offset + segment.length, minimumHole);
  return joined;
}
