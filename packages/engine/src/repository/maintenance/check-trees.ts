/**
 * Walks from every snapshot to every blob it needs. Each tree is read once, however many snapshots share it; what was
 * found below a tree that is not whole is remembered, so that all snapshots with it are named.
 */
import { displayPath } from '../../ports/display-path.ts';
import { BitSet } from '../bit-set.ts';
import type { BlobIndex, BlobType } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import { treeBatches } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { SnapshotRoot } from '../snapshots.ts';
import { damageReason } from './index-files.ts';
import type { ProblemLog } from './problem-log.ts';
import { isPassing, isUnread } from './transfer-blobs.ts';
import { TreeFaults } from './tree-faults.ts';

/** Trees of a folder that are read before they are needed, and such trees in all folders that are open. */
const READ_AHEAD = 4;
const MAX_AHEAD = 32;
/** Larger ones are read when their turn comes. */
const AHEAD_BYTES = 256 * 1024;
/** Missing blobs that are known by name, so that each is one problem however often it is needed. */
const MAX_REMEMBERED = 100_000;

export interface CheckTreesOptions {
  readonly index: BlobIndex;
  readonly reader: Pick<BlobReader, 'read' | 'treePieces' | 'sizeOf'>;
  readonly signal: AbortSignal;
  readonly log: ProblemLog;
  /** Numbers of the problems that make a blob unreadable; null: it can be read for all that is known. */
  readonly problemsOf: (entry: number) => readonly number[] | null;
  /** Hears that a tree cannot be read although its pack seemed good; answers the number of the problem. */
  readonly onUnreadable: (entry: number, reason: string) => number;
  readonly onTree?: (id: Uint8Array) => void;
}

/** Answers the ids of the snapshots that are whole. */
export async function checkTrees(snapshots: readonly SnapshotRoot[], options: CheckTreesOptions): Promise<string[]> {
  const walk = new TreeWalk(options);
  const intact: string[] = [];
  for (const { id, tree } of snapshots) {
    const problems = await walk.check(fromHex(tree));
    if (!problems) intact.push(id);
    else for (const problem of problems) options.log.affects(problem, { snapshotId: id });
  }
  return intact;
}

/** Numbers of problems, -1 for those that are not listed. */
type Problems = ReadonlySet<number>;
type ReadTree = { readonly json: Buffer } | { readonly error: unknown };

interface SubFolder {
  readonly name: Buffer;
  readonly treeId: Uint8Array;
}

/** A tree whose own list was checked, on the way to the one at hand. */
interface OpenTree {
  readonly entry: number;
  readonly id: Uint8Array;
  /** Display path with a slash at its end. */
  readonly path: string;
  /** Of it and of what lies below, as far as that was checked. */
  readonly found: Set<number>;
  readonly folders: readonly SubFolder[];
  /** The one that comes next. */
  next: number;
}

/** Without recursion: a chain of folders may be longer than any stack. */
class TreeWalk {
  readonly #options: CheckTreesOptions;
  readonly #seen: BitSet;
  /** By entry; trees that are whole are not in it. */
  readonly #broken = new Map<number, Problems>();
  /** By type and id. */
  readonly #missing = new Map<string, number>();
  readonly #open: OpenTree[] = [];
  /** Trees that are being read, by entry. They never reject, since they may not be waited for. */
  readonly #ahead = new Map<number, Promise<ReadTree>>();

  constructor(options: CheckTreesOptions) {
    this.#options = options;
    this.#seen = new BitSet(options.index.count);
  }

  /** What is wrong with a tree and all below it; null: nothing. */
  async check(root: Uint8Array): Promise<Problems | null> {
    let problems = await this.#enter(root, '/');
    for (let folder = this.#open.at(-1); folder; folder = this.#open.at(-1)) {
      for (const problem of problems ?? []) folder.found.add(problem);
      const child = folder.folders[folder.next];
      if (child) {
        this.#readAhead(folder);
        folder.next += 1;
        problems = await this.#enter(child.treeId, `${folder.path}${displayPath(child.name)}/`);
      } else {
        this.#open.pop();
        problems = this.#closed(folder, folder.found.size > 0 ? folder.found : null);
      }
    }
    return problems;
  }

  /** What is known to be wrong with a tree now; it is open afterwards when there is more to be found out. */
  async #enter(id: Uint8Array, path: string): Promise<Problems | null> {
    const { index, problemsOf } = this.#options;
    const entry = index.find(id, 'tree');
    if (entry < 0) return this.#atPath(path, [this.#missingBlob(id, 'tree')]);
    const isNew = this.#seen.add(entry);
    if (!isNew) return this.#broken.get(entry) ?? null;
    const tree = { id, entry, path };
    const unreadable = problemsOf(entry);
    if (unreadable) return this.#closed(tree, this.#atPath(path, unreadable));
    const found = new Set<number>();
    try {
      const folders = await this.#checkList(tree, found);
      this.#open.push({ ...tree, found, folders, next: 0 });
      return null;
    } catch (error) {
      return this.#closed(tree, this.#unreadable(entry, path, error));
    }
  }

  #closed({ id, entry }: Pick<OpenTree, 'id' | 'entry'>, problems: Problems | null): Problems | null {
    if (problems) this.#broken.set(entry, problems);
    this.#options.onTree?.(id);
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

  /** Checks the list of a folder, without what lies below, and answers its sub-folders. Throws when it cannot be read. */
  async #checkList({ id, entry, path }: Pick<OpenTree, 'id' | 'entry' | 'path'>, found: Set<number>) {
    const faults = new TreeFaults();
    const folders: SubFolder[] = [];
    const reasons: string[] = [];
    for await (const json of this.#pieces(id, entry)) {
      this.#options.signal.throwIfAborted();
      try {
        for (const nodes of treeBatches(json)) this.#checkNodes(nodes, { path, faults, folders, found });
      } catch (error) {
        reasons.push(damageReason(error));
      }
    }
    reasons.push(...faults.list);
    if (reasons.length > 0) {
      const message = `The list of a folder is not as it must be: ${reasons.join('; ')}.`;
      const problem = this.#options.log.add('error', 'tree_invalid', { object: toHex(id), message });
      found.add(problem);
      this.#atPath(path, [problem]);
    }
    return folders;
  }

  #checkNodes(
    nodes: readonly TreeNode[],
    list: { path: string; faults: TreeFaults; folders: SubFolder[]; found: Set<number> },
  ): void {
    for (const node of nodes) {
      list.faults.add(node);
      if (node.type === 'file') this.#checkFile(node, list.path, list.found);
      else if (node.type === 'dir' && node.subtree) list.folders.push({ name: node.name, treeId: node.subtree });
    }
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

  async *#pieces(id: Uint8Array, entry: number): AsyncGenerator<Buffer> {
    const ahead = this.#ahead.get(entry);
    this.#ahead.delete(entry);
    if (!ahead) {
      yield* this.#options.reader.treePieces(id);
      return;
    }
    const tree = await ahead;
    if ('error' in tree) throw tree.error;
    yield tree.json;
  }

  /** Begins to read the next folders of this one, as far as they will be entered. */
  #readAhead({ folders, next }: OpenTree): void {
    const { index, reader, problemsOf } = this.#options;
    for (const { treeId } of folders.slice(next, next + READ_AHEAD)) {
      if (this.#ahead.size >= MAX_AHEAD) return;
      const entry = index.find(treeId, 'tree');
      if (entry < 0 || this.#seen.has(entry) || this.#ahead.has(entry) || problemsOf(entry)) continue;
      if (reader.sizeOf(treeId, 'tree') <= AHEAD_BYTES) this.#ahead.set(entry, this.#read(treeId));
    }
  }

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
