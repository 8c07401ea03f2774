/** Reads chosen blobs of packs in few large requests, ahead of whoever works on them, in bounded memory. */
import type { BlobIndex } from '../blob-index.ts';
import { inOrder } from './in-order.ts';
import type { MaintenanceWork } from './maintenance-work.ts';

/** One request is never larger than this, unless a single blob is. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** Bytes that may lie unused between two blobs of a request. */
const GAP_BYTES = 1024 * 1024;
const WINDOWS_AT_ONCE = 3;

/** A part of a pack and the entries in it, by offset. */
export interface PackWindow {
  /** Hex. */
  readonly packId: string;
  readonly start: number;
  readonly end: number;
  readonly entries: readonly number[];
}

/** Entries of a pack by offset, cut into windows. Entries that overlap share one. */
export function* windowsOf(index: BlobIndex, packId: string, entries: Iterable<number>): Generator<PackWindow> {
  let window: { packId: string; start: number; end: number; entries: number[] } | null = null;
  for (const entry of entries) {
    const start = index.offsetOf(entry);
    const end = start + index.storedLengthOf(entry);
    if (window && (start > window.end + GAP_BYTES || end - window.start > WINDOW_BYTES) && start >= window.end) {
      yield window;
      window = null;
    }
    window ??= { packId, start, end: start, entries: [] };
    window.entries.push(entry);
    window.end = Math.max(window.end, end);
  }
  if (window) yield window;
}

export interface ReadWindow extends PackWindow {
  /** May end early when the pack does. Null: `problem` says why the pack could not be read. */
  readonly bytes: Buffer | null;
  readonly problem: unknown;
}

/** Reads windows, a few ahead, and yields them in their order. Only cancelling throws. */
export function readWindows(work: MaintenanceWork, windows: Iterable<PackWindow>): AsyncGenerator<ReadWindow> {
  function* tasks() {
    for (const window of windows) yield () => readWindow(work, window);
  }
  return inOrder(tasks(), WINDOWS_AT_ONCE);
}

async function readWindow(work: MaintenanceWork, window: PackWindow): Promise<ReadWindow> {
  const { packId, start, end } = window;
  try {
    const bytes = await work.repository.readPack(packId, { start, end }, work.signal);
    work.onRead?.(bytes.byteLength);
    return { ...window, bytes, problem: null };
  } catch (problem) {
    work.signal.throwIfAborted();
    return { ...window, bytes: null, problem };
  }
}

/** The sealed bytes of an entry in its window; shorter than they should be when the pack ends early. */
export function sealedIn(index: BlobIndex, { start }: PackWindow, bytes: Buffer, entry: number): Buffer {
  const at = index.offsetOf(entry) - start;
  return bytes.subarray(at, at + index.storedLengthOf(entry));
}
