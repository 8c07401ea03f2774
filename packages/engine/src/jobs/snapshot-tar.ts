import { AppError } from '@backupx/contracts/errors';
import { writeTar } from '../archive/tar-writer.ts';
import { parseDisplayPath } from '../ports/display-path.ts';
import type { EntryContent, SourceEntry } from '../ports/source.ts';
import type { BlobIndex } from '../repository/blob-index.ts';
import { entryType } from '../repository/browse/node-entry.ts';
import type { ListedItem } from '../repository/browse/snapshot-items.ts';
import { toHex } from '../repository/format/blob-id.ts';
import { splitDevice } from '../repository/format/device-number.ts';

/** What the writers of archives get: items in order, a way to their content. */
export interface ArchiveParts {
  readonly items: AsyncIterable<ListedItem>;
  /** Content by ids, verified; errors name the item. */
  readonly contentOf: (ids: readonly Uint8Array[], path: string) => AsyncIterable<Uint8Array>;
  readonly index: BlobIndex;
  readonly signal: AbortSignal;
}

/** Small, so that a download begins at once. */
const BLOCK_BYTES = 256 * 1024;

/** Writes items as a tar with everything that was stored of them; hard links are linked again. */
export async function* writeSnapshotTar(parts: ArchiveParts): AsyncGenerator<Uint8Array> {
  let failure: unknown = null;
  const contentOf: ArchiveParts['contentOf'] = async function* (ids, path) {
    try {
      yield* parts.contentOf(ids, path);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  yield* writeTar(tarEntries({ ...parts, contentOf }), {
    signal: parts.signal,
    blockSize: BLOCK_BYTES,
    // The writer would go on with zeros in place of what cannot be read.
    onProblem(problem) {
      throw failure ?? new AppError('REPOSITORY_DAMAGED', { reason: `${problem.path}: ${problem.message}` });
    },
  });
}

async function* tarEntries(parts: ArchiveParts): AsyncGenerator<SourceEntry> {
  const links = new HardLinks();
  for await (const { path, node } of parts.items) {
    const bytes = parseDisplayPath(path);
    const first = links.firstNameOf(node, bytes);
    const { major, minor } = splitDevice(node.device);
    yield {
      path: bytes,
      type: first ? 'hardlink' : sourceType(node.type),
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      userName: node.user,
      groupName: node.group,
      modifiedAtNs: node.mtimeNs,
      linkTarget: first ?? node.linkTarget,
      deviceMajor: major,
      deviceMinor: minor,
      xattrs: node.xattrs,
      content: first || node.type !== 'file' ? null : contentOfFile(parts, { path, ids: node.content ?? [] }),
    };
  }
}

/** First names of files that have several. */
class HardLinks {
  readonly #firstNames = new Map<string, Uint8Array>();

  /** Null for a file that has one name or comes for the first time. */
  firstNameOf(node: ListedItem['node'], path: Uint8Array): Uint8Array | null {
    if (node.type !== 'file' || node.links < 2) return null;
    const file = `${node.deviceId}/${node.inode}`;
    const first = this.#firstNames.get(file);
    if (!first) this.#firstNames.set(file, path);
    return first ?? null;
  }
}

function sourceType(type: ListedItem['node']['type']): SourceEntry['type'] {
  return entryType({ type });
}

function contentOfFile(parts: ArchiveParts, { path, ids }: { path: string; ids: readonly Uint8Array[] }): EntryContent {
  return { kind: 'stream', sizeBytes: contentSize(parts.index, ids, path), stream: parts.contentOf(ids, path) };
}

/** Bytes of a file as its blobs have them. Throws REPOSITORY_DAMAGED for a blob that is in no index. */
export function contentSize(index: BlobIndex, ids: readonly Uint8Array[], path: string): number {
  let size = 0;
  for (const id of ids) {
    const entry = index.find(id, 'data');
    if (entry < 0) {
      throw new AppError('REPOSITORY_DAMAGED', { reason: `${path}: data blob ${toHex(id)} is in no index` });
    }
    size += index.plainSizeOf(entry);
  }
  return size;
}
