import { NodeList } from './node-list.ts';

/** Metadata of a folder: packs its node once the id of its tree is known. */
export type PackFolder = (name: Buffer, subtree: Uint8Array) => string;

export interface TreeBuilderOptions {
  /** Stores a tree, given in parts; answers its id. `path` is its folder. */
  store(tree: readonly Buffer[], path: string): Uint8Array;
  /** Node of a folder that nothing is known of. */
  packUnknown: PackFolder;
}

interface OpenFolder {
  readonly path: string;
  readonly nodes: NodeList;
  pack: PackFolder | null;
  /** The source has it; a folder above a root is kept only when something is in it. */
  isListed: boolean;
}

/**
 * Builds the trees of a snapshot from items in walking order: a folder is stored as soon as the walk has left it.
 * Folders above the roots stay open to the end, because a later root may lie in them. Paths are byte paths as latin1
 * text; absolute; `/` is the root of the snapshot.
 */
export class TreeBuilder {
  readonly #options: TreeBuilderOptions;
  readonly #pinned = new Map<string, OpenFolder>();
  readonly #open: OpenFolder[];

  constructor(options: TreeBuilderOptions) {
    this.#options = options;
    this.#open = [newFolder('')];
  }

  /** Metadata of a folder above a root; the outermost first. */
  addAncestor(path: string, pack: PackFolder): void {
    const folder = newFolder(path);
    folder.pack = pack;
    this.#pinned.set(path, folder);
  }

  /** A folder of the source itself. */
  addFolder(path: string, pack: PackFolder): void {
    if (path === '/') return;
    this.#leaveTo(path.slice(0, path.lastIndexOf('/')));
    const folder = this.#pinned.get(path) ?? newFolder(path);
    folder.pack = pack;
    folder.isListed = true;
    this.#open.push(folder);
  }

  /** Any other item, packed. */
  addItem(path: string, node: string): void {
    const slash = path.lastIndexOf('/');
    this.#leaveTo(path.slice(0, slash));
    this.#top().nodes.add(path.slice(slash + 1), node);
  }

  /** Stores what is open and answers the id of the root's tree. */
  finish(): Uint8Array {
    this.#leaveTo('');
    const deepestFirst = [...this.#pinned.values()].sort((a, b) => depthOf(b.path) - depthOf(a.path));
    for (const folder of deepestFirst) {
      this.#pinned.delete(folder.path);
      if (!folder.nodes.isEmpty || folder.isListed) this.#store(folder);
    }
    return this.#options.store(this.#top().nodes.toTree(), '/');
  }

  /** Closes folders until the one at `path` is the innermost; opens those that are missing on the way. */
  #leaveTo(path: string): void {
    let top = this.#top();
    while (top.path !== path && !isBelow(path, top.path)) {
      this.#open.pop();
      if (!this.#pinned.has(top.path)) this.#store(top);
      top = this.#top();
    }
    while (top.path !== path) {
      const end = path.indexOf('/', top.path.length + 1);
      const next = end < 0 ? path : path.slice(0, end);
      // Nobody has listed this folder: an excluded one with a root inside. It may be entered again.
      const folder = this.#pinned.get(next) ?? newFolder(next);
      this.#pinned.set(next, folder);
      this.#open.push(folder);
      top = folder;
    }
  }

  #store(folder: OpenFolder): void {
    const slash = folder.path.lastIndexOf('/');
    const name = folder.path.slice(slash + 1);
    const subtree = this.#options.store(folder.nodes.toTree(), folder.path);
    const pack = folder.pack ?? this.#options.packUnknown;
    const node = pack(Buffer.from(name, 'latin1'), subtree);
    this.#parentOf(folder.path.slice(0, slash)).nodes.add(name, node);
  }

  #parentOf(path: string): OpenFolder {
    const pinned = this.#pinned.get(path);
    if (pinned) return pinned;
    return this.#open.find((folder) => folder.path === path) ?? this.#top();
  }

  #top(): OpenFolder {
    const top = this.#open.at(-1);
    if (!top) throw new Error('the root was left');
    return top;
  }
}

function newFolder(path: string): OpenFolder {
  return { path, nodes: new NodeList(), pack: null, isListed: false };
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || (path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f);
}

function depthOf(path: string): number {
  let depth = 0;
  for (let index = 0; index < path.length; index += 1) if (path.charCodeAt(index) === 0x2f) depth += 1;
  return depth;
}
