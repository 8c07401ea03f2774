import { makeZip } from 'client-zip';
import type { ListedItem } from '../repository/browse/snapshot-items.ts';
import { type ArchiveParts, contentSize } from './snapshot-tar.ts';

const FILE_BITS = 0o100000;
const FOLDER_BITS = 0o040000;
const LINK_BITS = 0o120000;
const NS_PER_MS = 1_000_000n;
/** A zip knows no earlier time, and none after 2107. */
const FIRST_MS = Date.UTC(1980, 0, 2);
const LAST_MS = Date.UTC(2107, 11, 30);

/**
 * Writes items as a zip (Zip64 where it must be), uncompressed: for people who want to open it with what they have.
 * Files, folders and symbolic links with permissions and time; there is no place in it for owners, attributes, devices.
 * About 300 bytes per item stay in memory for the directory at its end.
 */
export async function* writeSnapshotZip(parts: ArchiveParts): AsyncGenerator<Uint8Array> {
  const reader = makeZip(zipItems(parts)).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function* zipItems(parts: ArchiveParts) {
  for await (const { path, node } of parts.items) {
    parts.signal.throwIfAborted();
    const facts = { name: zipName(path), lastModified: zipTime(node.mtimeNs) };
    if (node.type === 'dir') yield { ...facts, name: `${facts.name}/`, mode: FOLDER_BITS | node.mode };
    else if (node.type === 'symlink') {
      yield { ...facts, mode: LINK_BITS | node.mode, input: Buffer.from(node.linkTarget ?? '') };
    } else if (node.type === 'file') yield { ...facts, mode: FILE_BITS | node.mode, ...fileContent(parts, path, node) };
  }
}

function fileContent(parts: ArchiveParts, path: string, { content }: ListedItem['node']) {
  const ids = content ?? [];
  return { input: parts.contentOf(ids, path), size: contentSize(parts.index, ids, path) };
}

/** Relative; backslashes, which some programs take for slashes, and a drive letter's colon are written as in URLs. */
function zipName(path: string): string {
  return path
    .slice(1)
    .replaceAll('\\', '%5C')
    .replace(/^([A-Za-z]):/, '$1%3A');
}

function zipTime(ns: bigint): Date {
  return new Date(Math.min(Math.max(Number(ns / NS_PER_MS), FIRST_MS), LAST_MS));
}
