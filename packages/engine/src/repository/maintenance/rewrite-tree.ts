import { displayPath } from '../../ports/display-path.ts';
import type { BlobIndex } from '../blob-index.ts';
import { type BlobReader, createBlobReader } from '../blob-reader.ts';
import { fromHex, hashOf, toHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, packTree, parseTree, type TreeNode } from '../format/tree-node.ts';
import { compressOnce } from '../format/zstd.ts';
import { createPackWriter, type PackWriter } from '../pack-writer.ts';
import { BitSet } from './bit-set.ts';
import type { ChangeList } from './change-list.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { isPassing } from './transfer-blobs.ts';
import { findTreeFaults, isKnownType } from './tree-faults.ts';

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
    const nodes = await this.#read(id);
    const rewritten = nodes && (await this.#nodes(nodes, place));
    const newId = rewritten === null ? null : rewritten === nodes ? id : await this.#store(rewritten);
    if (newId === id) this.#whole.add(entry);
    else this.#changed.set(toHex(id), newId);
    work.onItem?.(place.path);
    return newId;
  }

  /** Null for a tree that is lost: it was read twice, since the first time a transfer may have damaged it. */
  async #read(id: Uint8Array): Promise<readonly TreeNode[] | null> {
    const { work, index, reader } = this.#parts;
    const { repository, signal } = work;
    const nodes =
      (await this.#tryRead(id, reader)) ?? (await this.#tryRead(id, createBlobReader({ repository, index, signal })));
    if (!nodes) this.#lost.add(toHex(id));
    return nodes;
  }

  async #tryRead(id: Uint8Array, reader: BlobReader): Promise<readonly TreeNode[] | null> {
    try {
      return parseTree(await reader.read(id, 'tree'));
    } catch (error) {
      this.#parts.work.signal.throwIfAborted();
      if (isPassing(error)) throw error;
      return null;
    }
  }

  /** The same list when nothing is to be changed in it. */
  async #nodes(nodes: readonly TreeNode[], place: Place): Promise<readonly TreeNode[]> {
    const result: TreeNode[] = [];
    let isChanged = false;
    for (const node of inNameOrder(nodes)) {
      const rewritten = await this.#node(node, place);
      if (rewritten) result.push(rewritten);
      if (rewritten !== node) isChanged = true;
    }
    const faults = findTreeFaults(nodes);
    if (faults.length > 0) this.#note(place, `its list was put in order (${faults.join('; ')})`);
    return isChanged || faults.length > 0 ? result : nodes;
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
    return { ...node, subtree: await this.#store([]) };
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

  async #store(nodes: readonly TreeNode[]): Promise<Uint8Array> {
    const { index, writer, work } = this.#parts;
    const plain = packTree(nodes.map(packNode));
    const id = hashOf(plain);
    const isStored = index.find(id, 'tree') >= 0 && !this.#lost.has(toHex(id));
    if (isStored || this.#added.has(toHex(id))) return id;
    this.#added.add(toHex(id));
    const { box, config } = work.repository;
    const isCompressed = config.version >= 2;
    const sealed = box.seal(isCompressed ? compressOnce(plain) : plain);
    await writer?.add({ type: 'tree', id, sealed, plainLength: isCompressed ? plain.byteLength : 0 });
    return id;
  }

  #note({ snapshotId, path }: Place, what: string): void {
    this.#parts.changes.add(`Snapshot ${snapshotId.slice(0, 8)}, ${path}: ${what}.`);
  }
}

/** Ascending by name, each name once. */
function inNameOrder(nodes: readonly TreeNode[]): readonly TreeNode[] {
  const sorted = [...nodes].sort((a, b) => Buffer.compare(a.name, b.name));
  return sorted.filter((node, at) => at === 0 || Buffer.compare(node.name, sorted[at - 1]?.name ?? node.name) !== 0);
}
