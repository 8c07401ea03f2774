import { displayPath } from '../../ports/display-path.ts';
import { NodeList } from '../backup/node-list.ts';
import { BitSet } from '../bit-set.ts';
import type { BlobIndex } from '../blob-index.ts';
import { type BlobReader, createBlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import { treeBatches } from '../format/parse-tree.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, type TreeNode } from '../format/tree-node.ts';
import { sealParts } from '../format/unpacked-file.ts';
import { compressPieces } from '../format/zstd.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { createPackWriter, type PackWriter } from '../pack-writer.ts';
import { hashOfParts, lengthOfParts, passingPieces, plainBytesOf, type TreePart } from '../tree-part.ts';
import type { ChangeList } from './change-list.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { isPassing } from './transfer-blobs.ts';
import { isKnownType, TreeFaults } from './tree-faults.ts';

/** Items of one folder that are kept as they are. */
const MAX_WAITING_NODES = 10_000;

export interface TreeRewriterOptions {
  readonly index: BlobIndex;
  readonly dryRun: boolean;
  readonly changes: ChangeList;
}

export interface TreeRewriter {
  /** The root (hex) without what is lost: the same when nothing is; null when the root itself is lost. */
  rewrite(snapshot: Snapshot): Promise<string | null>;
  /** Stores the new trees and their index. */
  finish(): Promise<void>;
}

/** Rewrites trees; each is looked at once, however many snapshots share it. */
export function createTreeRewriter(work: MaintenanceWork, options: TreeRewriterOptions): TreeRewriter {
  const { repository, signal, clock } = work;
  const reader = createBlobReader({ repository, index: options.index, signal });
  const writer = options.dryRun ? null : createPackWriter({ repository, signal, clock });
  return new Rewriter({ ...options, work, reader, writer });
}

interface RewriterParts extends TreeRewriterOptions {
  readonly work: MaintenanceWork;
  readonly reader: BlobReader;
  /** Null: nothing is written. */
  readonly writer: PackWriter | null;
}

/** Where a tree is met first. */
interface Place {
  /** With a slash at its end. */
  readonly path: string;
  readonly snapshotId: string;
}

type NodeBatches = AsyncIterable<TreeNode[]> | readonly TreeNode[][];

class Rewriter implements TreeRewriter {
  readonly #parts: RewriterParts;
  readonly #whole: BitSet;
  /** New ids of trees that changed, null for lost ones; by the old ids in hex. */
  readonly #changed = new Map<string, Uint8Array | null>();
  readonly #added = new Set<string>();
  /** Trees (hex) that the index names and nobody can read. */
  readonly #lost = new Set<string>();

  constructor(parts: RewriterParts) {
    this.#parts = parts;
    this.#whole = new BitSet(parts.index.count);
  }

  async rewrite({ id, tree }: Snapshot): Promise<string | null> {
    const rewritten = await this.#tree(fromHex(tree), { path: '/', snapshotId: id });
    return rewritten && toHex(rewritten);
  }

  async finish(): Promise<void> {
    await this.#parts.writer?.finish();
  }

  /** The id of a tree without what is lost below it; null when it is lost itself. */
  async #tree(id: Uint8Array, place: Place): Promise<Uint8Array | null> {
    const { index, work } = this.#parts;
    const entry = index.find(id, 'tree');
    if (entry >= 0 && this.#whole.has(entry)) return id;
    const known = this.#changed.get(toHex(id));
    if (known !== undefined) return known;
    work.signal.throwIfAborted();
    const nodes = await this.#open(id);
    const newId = nodes && (await this.#rewritten(id, nodes, place));
    if (newId === id) this.#whole.add(entry);
    else this.#changed.set(toHex(id), newId);
    work.onItem?.(place.path);
    return newId;
  }

  /** Null for a tree that is lost: it was read twice, since the first time a transfer may have damaged it. */
  async #open(id: Uint8Array): Promise<NodeBatches | null> {
    const { work, index, reader } = this.#parts;
    const { repository, signal } = work;
    const nodes =
      (await this.#tryOpen(id, reader)) ?? (await this.#tryOpen(id, createBlobReader({ repository, index, signal })));
    if (!nodes) this.#lost.add(toHex(id));
    return nodes;
  }

  /** The items of a tree that can be read to its end, those of a long one some at a time. */
  async #tryOpen(id: Uint8Array, reader: BlobReader): Promise<NodeBatches | null> {
    try {
      if (reader.sizeOf(id, 'tree') <= LARGE_TREE_BYTES) return [await reader.readTree(id)];
      for await (const _ of nodesOf(reader, id));
      return nodesOf(reader, id);
    } catch (error) {
      this.#parts.work.signal.throwIfAborted();
      if (isPassing(error)) throw error;
      return null;
    }
  }

  /** The same id when nothing is to be changed in the tree. */
  async #rewritten(id: Uint8Array, batches: NodeBatches, place: Place): Promise<Uint8Array> {
    const faults = new TreeFaults();
    const list = new LazyList();
    let isChanged = false;
    for await (const nodes of batches) {
      for (const node of nodes) {
        faults.add(node);
        const rewritten = await this.#node(node, place);
        if (rewritten !== node) isChanged = true;
        if (rewritten) list.add(rewritten);
      }
    }
    const reasons = faults.list.join('; ');
    if (reasons !== '') this.#note(place, `its list was put in order (${reasons})`);
    return isChanged || reasons !== '' ? await this.#store(list.toTree()) : id;
  }

  async #node(node: TreeNode, place: Place): Promise<TreeNode | null> {
    const here = { ...place, path: place.path + displayPath(node.name) };
    if (!isKnownType(node.type)) {
      this.#note(here, 'it is of a kind that is not known and is left out');
      return null;
    }
    if (node.type === 'file') return this.#file(node, here);
    if (node.type !== 'dir') return node;
    const subtree = node.subtree && (await this.#tree(node.subtree, { ...here, path: `${here.path}/` }));
    if (subtree && subtree === node.subtree) return node;
    if (subtree) return { ...node, subtree };
    this.#note(here, 'the list of the folder is lost; it is empty now');
    return { ...node, subtree: await this.#store(new NodeList().toTree()) };
  }

  #file(node: TreeNode, place: Place): TreeNode {
    const { index } = this.#parts;
    const entries = node.content?.map((id) => index.find(id, 'data')) ?? [];
    if (node.content && !entries.includes(-1)) return node;
    const left = entries.filter((entry) => entry >= 0);
    const size = left.reduce((sum, entry) => sum + index.plainSizeOf(entry), 0);
    this.#note(place, `${size} of ${node.size} bytes are left of it`);
    return { ...node, content: left.map((entry) => index.idOf(entry)), size };
  }

  async #store(parts: readonly TreePart[]): Promise<Uint8Array> {
    const { index, writer, work } = this.#parts;
    const id = hashOfParts(parts);
    const isStored = index.find(id, 'tree') >= 0 && !this.#lost.has(toHex(id));
    if (isStored || this.#added.has(toHex(id))) return id;
    this.#added.add(toHex(id));
    if (!writer) return id;
    const { box, config } = work.repository;
    const plainLength = lengthOfParts(parts);
    const isCompressed = config.version >= 2;
    const content = isCompressed ? await compressPieces(passingPieces(parts), plainLength) : parts.map(plainBytesOf);
    await writer.add({
      type: 'tree',
      id,
      sealed: sealParts(box, content),
      plainLength: isCompressed ? plainLength : 0,
    });
    return id;
  }

  #note({ snapshotId, path }: Place, what: string): void {
    this.#parts.changes.add(`Snapshot ${snapshotId.slice(0, 8)}, ${path}: ${what}.`);
  }
}

async function* nodesOf(reader: BlobReader, id: Uint8Array): AsyncGenerator<TreeNode[]> {
  for await (const json of reader.treePieces(id)) yield* treeBatches(json);
}

/** Makes text of items only when they are many or the text is asked for: most trees stay as they are. */
class LazyList {
  readonly #list = new NodeList();
  #waiting: TreeNode[] = [];

  add(node: TreeNode): void {
    this.#waiting.push(node);
    if (this.#waiting.length >= MAX_WAITING_NODES) this.#pack();
  }

  toTree(): readonly TreePart[] {
    this.#pack();
    return this.#list.toTree();
  }

  #pack(): void {
    for (const node of this.#waiting) this.#list.add(node.name.toString('latin1'), packNode(node));
    this.#waiting = [];
  }
}
