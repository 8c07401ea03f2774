/**
 * Finds items in many snapshots at once. All of them are walked together, folder by folder: where they share a tree it
 * is read once, so a thousand snapshots of a folder that never changed cost as much as one. In memory are the trees'
 * ids on the way to the current folder, the sub-folders of these folders, and the hits.
 */

import { createHash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { ArtifactEntry } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import { toHex } from '../format/blob-id.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { ItemPattern } from './item-pattern.ts';
import { nodeEntry } from './node-entry.ts';
import { SnapshotSets } from './snapshot-sets.ts';
import type { TreeIndex } from './tree-index.ts';
import { atPath, type TreeLoader, type Trees } from './tree-loader.ts';

export interface FindOptions {
  /** Oldest first. */
  readonly snapshots: readonly { readonly id: string; readonly tree: Uint8Array }[];
  readonly pattern: ItemPattern;
  /** Versions at most. */
  readonly limit: number;
  /** Called after each folder with the number of trees read and hits found so far. */
  readonly onFolder?: (path: string, treesRead: number, hits: number) => void;
}

/** One version of an item, with the snapshots that hold it, oldest first. */
export type FoundVersion = ArtifactEntry & { snapshotIds: string[] };

export interface FoundVersions {
  /** By path, a folder before what is in it; versions of an item oldest first. */
  readonly hits: FoundVersion[];
  readonly truncated: boolean;
  /** Folders that could not be read, and the snapshots in which they could not. */
  readonly unread: UnreadFolder[];
}

export interface UnreadFolder {
  readonly path: string;
  readonly snapshotIds: string[];
  readonly message: string;
}

const MAX_UNREAD = 100;

/**
 * A damaged folder is passed over and told: what is sought may be in a snapshot that is whole. Throws SNAPSHOT_ENDLESS.
 */
export async function findItems(loader: TreeLoader, options: FindOptions): Promise<FoundVersions> {
  const search = new FindWalk(loader, options);
  const tops = new TreeGroups();
  for (const [number, { tree }] of options.snapshots.entries()) tops.add(tree, search.sets.single(number));
  await search.visit('', tops);
  return search.result();
}

interface TreeGroup {
  readonly treeId: Uint8Array;
  readonly snapshots: number;
}

/** The different trees of one folder and the snapshots that hold each. */
class TreeGroups {
  readonly #groups = new Map<string, { readonly treeId: Uint8Array; readonly sets: Set<number> }>();

  add(treeId: Uint8Array, snapshots: number): void {
    const key = toHex(treeId);
    const known = this.#groups.get(key);
    if (known) known.sets.add(snapshots);
    else this.#groups.set(key, { treeId, sets: new Set([snapshots]) });
  }

  values(sets: SnapshotSets): TreeGroup[] {
    return Array.from(this.#groups.values(), (group) => ({
      treeId: group.treeId,
      snapshots: sets.unionOf(group.sets),
    }));
  }
}

interface Hit {
  readonly name: Buffer;
  readonly entry: ArtifactEntry;
  readonly sets: Set<number>;
}

/** A folder whose trees are read: what was found in it so far, and the folders to enter next. */
interface OpenFolder {
  readonly path: string;
  readonly hits: Map<string, Hit>;
  readonly folders: Map<string, TreeGroups>;
}

class FindWalk {
  readonly sets = new SnapshotSets();
  readonly #trees: Trees;
  readonly #options: FindOptions;
  readonly #found: FoundVersion[] = [];
  readonly #unread: UnreadFolder[] = [];
  #treesRead = 0;

  constructor(loader: TreeLoader, options: FindOptions) {
    this.#trees = loader.walk();
    this.#options = options;
  }

  result(): FoundVersions {
    const { limit } = this.#options;
    return { hits: this.#found.slice(0, limit), truncated: this.#found.length > limit, unread: this.#unread };
  }

  /** All trees of one folder, then its sub-folders by name. */
  async visit(path: string, groups: TreeGroups): Promise<void> {
    const hits = new Map<string, Hit>();
    const folders = new Map<string, TreeGroups>();
    const trees = groups.values(this.sets);
    for (const [number, group] of trees.entries()) {
      const next = trees[number + 1];
      this.#trees.prefetch(group.treeId);
      if (next) this.#trees.prefetch(next.treeId);
      await this.#readTree(group, { path, hits, folders });
    }
    this.#keep(hits);
    this.#options.onFolder?.(path, this.#treesRead, this.#found.length);
    for (const name of [...folders.keys()].sort()) {
      if (this.#found.length > this.#options.limit) return;
      const child = folders.get(name);
      folders.delete(name);
      if (child) await this.visit(`${path}/${displayPath(Buffer.from(name, 'latin1'))}`, child);
    }
  }

  async #readTree(group: TreeGroup, { path, hits, folders }: OpenFolder): Promise<void> {
    const { treeId, snapshots } = group;
    const parts = this.#trees.parts(treeId, path);
    try {
      for (let part = await parts.next(); part.value; part = await parts.next()) {
        this.#collect(part.value, { path, hits, folders, snapshots });
      }
      this.#treesRead += 1;
    } catch (error) {
      this.#passOver(error, path, group);
    } finally {
      await parts.return();
    }
  }

  #collect(tree: TreeIndex, folder: OpenFolder & { readonly snapshots: number }): void {
    try {
      this.#matchNames(tree, folder);
      this.#collectFolders(tree, folder);
    } catch (error) {
      throw atPath(error, folder.path);
    }
  }

  #passOver(error: unknown, path: string, group: TreeGroup): void {
    if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') throw error;
    const { snapshots } = this.#options;
    const snapshotIds = this.sets.membersOf(group.snapshots).map((number) => snapshots[number]?.id ?? '');
    if (this.#unread.length < MAX_UNREAD) this.#unread.push({ path, snapshotIds, message: error.message });
  }

  #matchNames(tree: TreeIndex, folder: { path: string; hits: Map<string, Hit>; snapshots: number }): void {
    const { path, hits, snapshots } = folder;
    for (let number = 0; number < tree.count; number += 1) {
      const name = tree.nameOf(number);
      const text = displayPath(name);
      if (!this.#options.pattern.matches(text, path)) continue;
      const node = tree.nodeAt(number);
      const key = `${name.toString('latin1')}\0${versionOf(node)}`;
      const known = hits.get(key);
      if (known) known.sets.add(snapshots);
      else if (this.#found.length + hits.size <= this.#options.limit) {
        hits.set(key, {
          name: Buffer.from(name),
          entry: nodeEntry(node, `${path}/${text}`),
          sets: new Set([snapshots]),
        });
      }
    }
  }

  #collectFolders(
    tree: TreeIndex,
    folder: { path: string; folders: Map<string, TreeGroups>; snapshots: number },
  ): void {
    const { path, folders, snapshots } = folder;
    for (let number = 0; number < tree.count; number += 1) {
      if (!tree.isFolder(number)) continue;
      const name = tree.nameOf(number);
      if (!this.#options.pattern.reaches(`${path}/${displayPath(name)}`)) continue;
      const key = name.toString('latin1');
      let groups = folders.get(key);
      if (!groups) {
        groups = new TreeGroups();
        folders.set(key, groups);
      }
      groups.add(tree.subtreeOf(number), snapshots);
    }
  }

  #keep(hits: Map<string, Hit>): void {
    const { snapshots } = this.#options;
    const found = Array.from(hits.values(), ({ name, entry, sets }) => ({
      name,
      entry,
      members: this.sets.membersOf(this.sets.unionOf(sets)),
    }));
    found.sort((a, b) => a.name.compare(b.name) || (a.members[0] ?? 0) - (b.members[0] ?? 0));
    for (const hit of found) {
      const ids = hit.members.map((number) => snapshots[number]?.id ?? '');
      this.#found.push({ ...hit.entry, snapshotIds: ids });
    }
  }
}

/** Equal for two nodes that a person would call the same version: content, owner, permissions, time. */
function versionOf(node: TreeNode): string {
  const content = createHash('sha256');
  for (const id of node.content ?? []) content.update(id);
  const target = node.linkTarget?.toString('latin1') ?? '';
  const facts = [node.type, node.mode, node.uid, node.gid, node.mtimeNs, node.size, node.device, target];
  return `${facts.join(' ')} ${content.digest('base64')}`;
}
