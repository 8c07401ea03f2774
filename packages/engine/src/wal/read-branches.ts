/** Where timelines branched off, from the history files of an archive. */
import type { StoredWal } from './archive-keys.ts';
import type { Branch } from './find-gaps.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { parseLsn, segmentOfLsn } from './wal-names.ts';

const MAX_HISTORY_BYTES = 1024 * 1024;

/** Null when the text is no history. Its last line is about the parent: `<timeline> <place in the log> <reason>`. */
export function parseHistory(text: string, segmentBytes: number): Branch | null {
  const lines = text.split('\n').filter((line) => /^\s*\d/.test(line));
  const [, parent, place = ''] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(lines.at(-1) ?? '') ?? [];
  const lsn = parseLsn(place);
  return lsn === null ? null : { parent: Number(parent), segment: segmentOfLsn(lsn, segmentBytes) };
}

/** Throws what opening a file of the archive throws. */
export async function readBranch(
  history: StoredWal,
  archive: WalArchiveStore,
  about: { readonly segmentBytes: number; readonly signal: AbortSignal },
): Promise<Branch | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of archive.open(history, about.signal)) {
    size += chunk.byteLength;
    if (size > MAX_HISTORY_BYTES) return null;
    chunks.push(chunk.slice());
  }
  return parseHistory(Buffer.concat(chunks).toString('utf8'), about.segmentBytes);
}
