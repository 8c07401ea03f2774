/** Where timelines branched off, from the history files of an archive. */
import type { StoredWal } from './archive-keys.ts';
import type { Branch } from './find-gaps.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { parseLsn, segmentOfLsn } from './wal-names.ts';

/** By the timeline that goes on there. */
export type Branches = ReadonlyMap<number, Branch>;

const MAX_HISTORY_BYTES = 1024 * 1024;

/**
 * Of the timeline of this history and of all it descends from; each of its lines is about one of them and where it was
 * left: `<timeline> <place in the log> <reason>`. Null when the text is no history.
 */
export function parseHistory(text: string, timeline: number, segmentBytes: number): Branches | null {
  const lines = text.split('\n').filter((line) => /^\s*\d/.test(line));
  const left: Branch[] = [];
  for (const line of lines) {
    const [, parent, place = ''] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line) ?? [];
    const lsn = parseLsn(place);
    if (lsn === null) return null;
    left.push({ parent: Number(parent), segment: segmentOfLsn(lsn, segmentBytes) });
  }
  if (left.length === 0) return null;
  return new Map(left.map((branch, index) => [left[index + 1]?.parent ?? timeline, branch]));
}

/** Throws what opening a file of the archive throws. */
export async function readHistory(
  history: StoredWal,
  archive: WalArchiveStore,
  about: { readonly segmentBytes: number; readonly signal: AbortSignal },
): Promise<Branches | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of archive.open(history, about.signal)) {
    size += chunk.byteLength;
    if (size > MAX_HISTORY_BYTES) return null;
    chunks.push(chunk.slice());
  }
  return parseHistory(Buffer.concat(chunks).toString('utf8'), history.timeline, about.segmentBytes);
}
