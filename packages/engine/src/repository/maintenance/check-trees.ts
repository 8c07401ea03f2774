/**
 * Walks from every snapshot to every blob it needs. Each tree is read once, however many snapshots share it; what was
 * found below a tree that is not whole is remembered, so that all snapshots with it are named.
 */
import { displayPath } from '../../ports/display-path.ts';
import type { BlobIndex, BlobType } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { parseTree, type TreeNode } from '../format/tree-node.ts';
import { BitSet } from './bit-set.ts';
import { damageReason } from './index-files.ts';
import type { ProblemLog } from './problem-log.ts';
import { isPassing, isUnread } from './transfer-blobs.ts';
import { findTreeFaults } from './tree-faults.ts';

/** Trees of a folder that are read before they are needed. */
const READ_AHEAD = 4;
/** Missing blobs that are known by name, so that each is one problem however often it is needed. */
const MAX_REMEMBERED = 100_000;

export interface CheckTreesOptions {
  readonly index: BlobIndex;
  readonly reader: Pick<BlobReader, 'read'>;
  readonly signal: AbortSignal;
  readonly log: ProblemLog;
  /** Numbers of the problems that make a blob unreadable; null: it can be read for all that is known. */
  readonly problemsOf: (entry: number) => readonly number[] | null;
  /** Hears that a tree cannot be read although its pack seemed good; answers the number of the problem. */
  readonly onUnreadable: (entry: number, reason: string) => number;
  readonly onTree?: (id: Uint8Array) => void;
}

/** Answers the ids of the snapshots that are whole. */
export async function checkTrees(snapshots: readonly Snapshot[], options: CheckTreesOptions): Promise<string[]> {
  const walk = new TreeWalk(options);
  const intact: string[] = [];
  for (const { id, tree } of snapshots) {
    const problems = await walk.check(fromHex(tree), '/');
    if (!problems) intact.push(id);
    else for (const problem of problems) options.log.affects(problem, { snapshotId: id });
  }
  return intact;
}

/** Numbers of problems, -1 for those that are not listed. */
type Problems = ReadonlySet<number>;
type ReadTree = { readonly json: Buffer } | { readonly error: unknown };

class TreeWalk {
  readonly #options: CheckTreesOptions;
  readonly #seen: BitSet;
  /** By entry; trees that are whole are not in it. */
  readonly #broken = new Map<number, Problems>();
  /** By type and id. */
  readonly #missing = new Map<string, number>();

  constructor(options: CheckTreesOptions) {
    this.#options = options;
    this.#seen = new BitSet(options.index.count);
  }

  /** What is wrong with a tree and all below it; null: nothing. */
  async check(id: Uint8Array, path: string, ahead?: Promise<ReadTree> | null): Promise<Problems | null> {
    const { index, problemsOf, onTree } = this.#options;
    const entry = index.find(id, 'tree');
    if (entry < 0) return this.#atPath(path, [this.#missingBlob(id, 'tree')]);
    const isNew = this.#seen.add(entry);
    if (!isNew) return this.#broken.get(entry) ?? null;
    const unreadable = problemsOf(entry);
    let problems: Problems | null;
    if (unreadable) problems = this.#atPath(path, unreadable);
    else {
      const tree = await (ahead ?? this.#read(id));
      problems =
        'error' in tree ? this.#unreadable(entry, path, tree.error) : await this.#checkTree(id, path, tree.json);
    }
    if (problems) this.#broken.set(entry, problems);
    onTree?.(id);
    return problems;
  }

  #unreadable(entry: number, path: string, error: unknown): Problems {
    this.#options.signal.throwIfAborted();
    // What the storage cannot read (a bad sector) is a finding, as it is where packs are read; out of reach is not.
    if (isPassing(error) && !isUnread(error)) throw error;
    return this.#atPath(path, [this.#options.onUnreadable(entry, damageReason(error))]);
  }

  #atPath(path: string, problems: Iterable<number>): Problems {
    const all = new Set(problems);
    for (const problem of all) this.#options.log.affects(problem, { path });
    return all;
  }

  async #checkTree(id: Uint8Array, path: string, json: Buffer): Promise<Problems | null> {
    let nodes: readonly TreeNode[];
    try {
      nodes = parseTree(json);
    } catch (error) {
      return this.#atPath(path, [this.#invalid(id, damageReason(error))]);
    }
    const found = new Set<number>();
    const faults = findTreeFaults(nodes);
    if (faults.length > 0) {
      found.add(this.#invalid(id, faults.join('; ')));
      this.#atPath(path, found);
    }
    for (const node of nodes) if (node.type === 'file') this.#checkFile(node, path, found);
    await this.#checkFolders(nodes, path, found);
    return found.size > 0 ? found : null;
  }

  #invalid(id: Uint8Array, reason: string): number {
    const message = `The list of a folder is not as it must be: ${reason}.`;
    return this.#options.log.add('error', 'tree_invalid', { object: toHex(id), message });
  }

  #checkFile({ name, content }: TreeNode, folder: string, found: Set<number>): void {
    const { index, problemsOf, log } = this.#options;
    for (const id of content ?? []) {
      const entry = index.find(id, 'data');
      const problems = entry < 0 ? [this.#missingBlob(id, 'data')] : problemsOf(entry);
      for (const problem of problems ?? []) {
        found.add(problem);
        log.affects(problem, { path: folder + displayPath(name) });
      }
    }
  }

  async #checkFolders(nodes: readonly TreeNode[], path: string, found: Set<number>): Promise<void> {
    const folders = nodes.filter((node) => node.type === 'dir' && node.subtree);
    const ahead: (Promise<ReadTree> | null)[] = [];
    for (const [at, { name, subtree }] of folders.entries()) {
      while (ahead.length < Math.min(at + READ_AHEAD, folders.length))
        ahead.push(this.#readAhead(folders[ahead.length]));
      const problems = subtree ? await this.check(subtree, `${path}${displayPath(name)}/`, ahead[at]) : null;
      ahead[at] = null;
      for (const problem of problems ?? []) found.add(problem);
    }
  }

  #readAhead(node: TreeNode | undefined): Promise<ReadTree> | null {
    const { index, problemsOf } = this.#options;
    const entry = node?.subtree ? index.find(node.subtree, 'tree') : -1;
    if (!node?.subtree || entry < 0 || this.#seen.has(entry) || problemsOf(entry)) return null;
    return this.#read(node.subtree);
  }

  /** Never rejects, since it may not be waited for. */
  async #read(id: Uint8Array): Promise<ReadTree> {
    try {
      return { json: await this.#options.reader.read(id, 'tree') };
    } catch (error) {
      return { error };
    }
  }

  #missingBlob(id: Uint8Array, type: BlobType): number {
    const object = toHex(id);
    const known = this.#missing.get(type + object);
    if (known !== undefined) return known;
    const message = `The ${type} blob ${object} is needed but in no index.`;
    const problem = this.#options.log.add('error', 'blob_missing', { object, message });
    if (this.#missing.size < MAX_REMEMBERED) this.#missing.set(type + object, problem);
    return problem;
  }
}
