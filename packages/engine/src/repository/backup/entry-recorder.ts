/**
 * Turns source entries into trees and blobs: the heart of the reading thread. It knows neither threads nor messages;
 * `ContentCutter` says where bytes go, `RecorderOptions` what the rest of the backup wants to hear.
 */
import type { ItemProblem } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import type { BackupContext, ListedItem, SourceEntry, StreamContent, SyncContent } from '../../ports/source.ts';
import { ownerFields, packNode, type TreeNode } from '../format/tree-node.ts';
import type { TreePart } from '../tree-part.ts';
import type { ContentCutter } from './content-cutter.ts';
import { FileMatcher, toNumber } from './file-matcher.ts';
import type { BackupCounters } from './messages.ts';
import { lastNameOf, type NodeContent, nodeOfEntry, unknownFolder } from './node-of-entry.ts';
import { isSameFile, type ParentWalk } from './parent-walk.ts';
import { type KnownTree, TreeBuilder } from './tree-builder.ts';

const READ_BYTES = 1024 * 1024;

export interface RecorderOptions {
  readonly cutter: ContentCutter;
  readonly parent: ParentWalk;
  /** True when the repository has this data blob, or this run has stored it. */
  isKnown(id: Uint8Array): boolean;
  /** True when the repository has this tree. */
  isKnownTree(id: Uint8Array): boolean;
  onProblem(problem: ItemProblem): void;
  /** Called often, for progress. */
  onTick(): void;
}

interface KnownContent {
  readonly content: readonly Uint8Array[];
  readonly sizeBytes: bigint;
}

/** Contents of files with several names; forgotten when all names were seen. */
interface LinkedContent extends KnownContent {
  left: number;
}

export class EntryRecorder {
  readonly counters: BackupCounters = {
    items: 0,
    files: 0,
    bytes: 0,
    filesNew: 0,
    filesChanged: 0,
    filesUnmodified: 0,
    dirsNew: 0,
    dirsChanged: 0,
    dirsUnmodified: 0,
    dataBlobs: 0,
    treeBlobs: 0,
    bytesAdded: 0,
    currentItem: null,
  };
  readonly #options: RecorderOptions;
  readonly #trees: TreeBuilder;
  readonly #linked = new Map<string, LinkedContent>();
  /** Trees that the parent snapshot has of the folders that are open: its walk has gone on when they are stored. */
  readonly #before = new Map<string, Uint8Array | null>();
  readonly #matcher: FileMatcher;
  #latestPath: Uint8Array | null = null;
  /** Of a file that was taken: its folder and its name. */
  #latestTaken: [folder: string, name: string] = ['', ''];
  /** The file that `isUnchanged` was asked about last and that is. */
  #unchangedPath: string | null = null;
  /** Who owned the last item whose node was packed. */
  #owner: SourceEntry | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#matcher = new FileMatcher(options.isKnown);
    this.#trees = new TreeBuilder({
      store: (tree, path) => this.#storeTree(tree, path),
      known: (path) => this.#knownTree(path),
      onKept: (_id, path) => {
        this.#before.delete(path);
        this.counters.dirsUnmodified += 1;
      },
      packUnknown: (name, subtree) => packNode(unknownFolder(name, subtree)),
    });
  }

  /** Metadata of a folder above the roots. */
  addAncestor(entry: SourceEntry): void {
    this.#trees.addAncestor(pathText(entry.path), packFolder(entry));
  }

  /** See `BackupContext.takeUnchanged`. Hot: most files of most backups end here. */
  readonly takeUnchanged = (folder: string, name: string, item: ListedItem): boolean => {
    const tree = this.#options.parent.treeOf(folder);
    if (!tree?.take(name, item, this.#matcher)) return false;
    this.#trees.addTaken(folder, name, tree);
    const { counters } = this;
    counters.files += 1;
    counters.filesUnmodified += 1;
    counters.bytes += toNumber(item.size);
    this.#latestPath = null;
    this.#latestTaken[0] = folder;
    this.#latestTaken[1] = name;
    this.#countItem();
    return true;
  };

  /** See `BackupContext.isUnchanged`. */
  readonly isUnchanged: NonNullable<BackupContext['isUnchanged']> = ({ path, modifiedAtNs, identity }) => {
    const { parent, isKnown } = this.#options;
    const text = pathText(path);
    const node = parent.find(text);
    if (!node || !isSameFile(node, { modifiedAtNs, identity })) return false;
    if (!(node.content ?? []).every((id) => isKnown(id))) return false;
    this.#unchangedPath = text;
    // What could not be read of it is tried again, and told again.
    return node.error === undefined ? true : 'content';
  };

  /** Records an entry whose content, if it has any, is read by synchronous calls. */
  addSync(entry: SourceEntry): void {
    const { content } = entry;
    if (content?.kind !== 'sync') {
      this.#addWithoutContent(entry);
      return;
    }
    this.#guardContent(entry, () => {
      try {
        return this.#readSync(content);
      } finally {
        content.close();
      }
    });
  }

  /** Records an entry whose content streams. */
  async addStream(entry: SourceEntry, content: StreamContent): Promise<void> {
    // A stream that breaks is a source that broke: its dump must not look like a whole one.
    const known = await this.#readStream(content);
    this.#addFile(entry, known);
  }

  /** A copy of the counters as they are now. */
  snapshotCounters(): BackupCounters {
    const path =
      this.#latestPath ?? (this.counters.items > 0 ? Buffer.from(this.#latestTaken.join('/'), 'latin1') : null);
    return { ...this.counters, currentItem: path && displayPath(path) };
  }

  /** Stores what is open; answers the id of the root tree. */
  finish(): Uint8Array {
    const root = this.#trees.finish();
    this.#options.cutter.flush();
    return root;
  }

  #guardContent(entry: SourceEntry, read: () => KnownContent): void {
    let known: KnownContent;
    try {
      known = read();
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#options.cutter.discard();
      const message = `it could not be read to its end: ${error.message}`;
      this.#options.onProblem({ path: displayPath(entry.path), code: 'unreadable', message });
      return;
    }
    this.#addFile(entry, known);
  }

  #readSync(content: SyncContent): KnownContent {
    const { cutter } = this.#options;
    let position = 0;
    for (;;) {
      const left = content.sizeBytes - position;
      // One byte more than is announced: so a single call reads a small file and sees its end. It may have grown since.
      const room = cutter.room(left < 0 ? READ_BYTES : Math.min(READ_BYTES, left + 1));
      const count = content.read(room, 0, room.byteLength, position);
      position += count;
      if (count > 0) {
        this.counters.bytes += count;
        cutter.filled(count);
        this.#options.onTick();
      }
      if (count === 0 || (position === content.sizeBytes && count < room.byteLength)) break;
    }
    return { content: cutter.end(), sizeBytes: BigInt(position) };
  }

  async #readStream({ stream }: StreamContent): Promise<KnownContent> {
    const { cutter } = this.#options;
    let size = 0;
    for await (const chunk of stream) {
      for (let at = 0; at < chunk.byteLength; ) {
        const room = cutter.room(Math.min(READ_BYTES, chunk.byteLength - at));
        room.set(chunk.subarray(at, at + room.byteLength));
        const count = Math.min(room.byteLength, chunk.byteLength - at);
        cutter.filled(count);
        at += count;
      }
      size += chunk.byteLength;
      this.counters.bytes += chunk.byteLength;
      this.#options.onTick();
    }
    return { content: cutter.end(), sizeBytes: BigInt(size) };
  }

  #addWithoutContent(entry: SourceEntry): void {
    const path = pathText(entry.path);
    if (entry.type === 'directory') {
      this.#count(entry);
      this.#trees.addFolder(path, packFolder(entry));
    } else if (entry.type === 'hardlink') {
      this.#addHardLink(entry);
    } else if (entry.type === 'file') {
      if (this.#unchangedPath === path) this.#addUnchanged(entry, path);
      else this.#addFile(entry, { content: [], sizeBytes: 0n });
    } else {
      this.#addNode(entry, {});
    }
  }

  #addHardLink(entry: SourceEntry): void {
    const key = linkKey(entry);
    const known = this.#linked.get(key);
    if (!known) {
      const message = 'its content under its first name could not be read';
      this.#options.onProblem({ path: displayPath(entry.path), code: 'unreadable', message });
      return;
    }
    known.left -= 1;
    if (known.left <= 0) this.#linked.delete(key);
    this.#addNode(entry, known);
  }

  #addFile(entry: SourceEntry, known: KnownContent): void {
    this.#rememberLinks(entry, known);
    this.counters.files += 1;
    if (this.#options.parent.find(pathText(entry.path))) this.counters.filesChanged += 1;
    else this.counters.filesNew += 1;
    this.#addNode(entry, known);
  }

  /** The source did not look at its attributes, unless some are missing: a change of them would have changed the times. */
  #addUnchanged(entry: SourceEntry, path: string): void {
    const node = this.#options.parent.find(path);
    if (!node) throw new Error('an unchanged file is not in the parent snapshot');
    const known = { content: node.content ?? [], sizeBytes: BigInt(node.size) };
    this.counters.files += 1;
    this.counters.filesUnmodified += 1;
    this.counters.bytes += Number(known.sizeBytes);
    this.#count(entry);
    this.#rememberLinks(entry, known);
    const unchanged = node.xattrs && node.error === undefined ? { ...entry, xattrs: node.xattrs } : entry;
    this.#pack(unchanged, path, nodeOfEntry(unchanged, node.name, known));
  }

  #rememberLinks(entry: SourceEntry, known: KnownContent): void {
    const links = Number(entry.identity?.linkCount ?? 1);
    if (links > 1) this.#linked.set(linkKey(entry), { ...known, left: links - 1 });
  }

  #addNode(entry: SourceEntry, content: NodeContent): void {
    this.#count(entry);
    this.#pack(entry, pathText(entry.path), nodeOfEntry(entry, lastNameOf(entry.path), content));
  }

  #pack(entry: SourceEntry, path: string, node: TreeNode): void {
    if (!this.#hasLastOwner(entry)) {
      this.#owner = entry;
      this.#matcher.setOwner(entry.uid, entry.gid, ownerFields(node));
    }
    this.#trees.addItem(path, packNode(node));
  }

  #hasLastOwner({ uid, gid, userName, groupName }: SourceEntry): boolean {
    const last = this.#owner;
    if (!last || last.uid !== uid || last.gid !== gid) return false;
    return last.userName === userName && last.groupName === groupName;
  }

  #knownTree(path: string): KnownTree | null {
    const folder = this.#options.parent.folder(path);
    this.#before.set(path, folder?.treeId ?? null);
    if (!folder || !this.#options.isKnownTree(folder.treeId)) return null;
    return { nodes: folder.tree, id: folder.treeId };
  }

  #count(entry: SourceEntry): void {
    this.#latestPath = entry.path;
    this.#countItem();
  }

  #countItem(): void {
    this.counters.items += 1;
    if (this.counters.items % 64 === 0) this.#options.onTick();
  }

  #storeTree(tree: readonly TreePart[], path: string): Uint8Array {
    const id = this.#options.cutter.addTree(tree);
    if (path === '/') return id;
    const known = this.#before.get(path);
    const before = known === undefined ? this.#options.parent.find(path)?.subtree : known;
    this.#before.delete(path);
    if (!before) this.counters.dirsNew += 1;
    else if (id.equals(before)) this.counters.dirsUnmodified += 1;
    else this.counters.dirsChanged += 1;
    return id;
  }
}

function pathText(path: Uint8Array): string {
  return Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString('latin1');
}

function linkKey({ identity }: SourceEntry): string {
  return identity ? `${identity.device}:${identity.inode}` : '';
}

function packFolder(entry: SourceEntry) {
  return (name: Buffer, subtree: Uint8Array) => packNode(nodeOfEntry(entry, name, { subtree }));
}

/** Errors of the file system concern one item. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
