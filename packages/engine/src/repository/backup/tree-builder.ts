import type { TreePart } from '../tree-part.ts';
import { NodeList } from './node-list.ts';

/** Metadata of a folder: packs its node once the id of its tree is known. */
export type PackFolder = (name: Buffer, subtree: Uint8Array) => string;

/** A tree that is read while the new one grows beside it. Places are bytes of it. */
export interface KnownNodes {
  /** Where its first node begins; -1 when it is not written as we do. */
  readonly firstAt: number;
  /** When this node stands at `at`: where the next one must begin, or the tail. Else -1. */
  follow(at: number, node: string): number;
  /** The same for the node that was taken out of it last. */
  followTaken(at: number): number;
  /** The text of that. */
  takenText(): string;
  /** What stands before the node at `at`, without the comma between. */
  before(at: number): TreePart[];
  /** True when the list ends before `at`, and nothing but its tail follows. */
  isEnd(at: number): boolean;
}

/** The tree that the parent snapshot has of a folder. It is stored. */
export interface KnownTree {
  readonly nodes: KnownNodes;
  readonly id: Uint8Array;
}

export interface TreeBuilderOptions {
  /** Stores a tree, given in parts; answers its id. `path` is its folder. */
  store(tree: readonly TreePart[], path: string): Uint8Array;
  /** The tree that this folder may still have, if there is one. */
  known(path: string): KnownTree | null;
  /** Hears of a folder whose tree is the known one; nothing is to be stored. */
  onKept(id: Uint8Array, path: string): void;
  /** Node of a folder that nothing is known of. */
  packUnknown: PackFolder;
}

interface OpenFolder {
  readonly path: string;
  /** Empty while the nodes are those of the known tree. */
  readonly nodes: NodeList;
  pack: PackFolder | null;
  /** The source has it; a folder above a root is kept only when something is in it. */
  isListed: boolean;
  /** As long as the nodes are those of the known tree, one after the other. */
  known: KnownTree | null;
  /** Where in it the next node must begin. */
  knownAt: number;
  lastName: string;
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

  /** Metadata of a folder above a root. Those above it stay open, too: their trees hold its own. */
  addAncestor(path: string, pack: PackFolder): void {
    this.#pin(path).pack = pack;
    for (let at = path; at.lastIndexOf('/') > 0; ) {
      at = at.slice(0, at.lastIndexOf('/'));
      this.#pin(at);
    }
  }

  /** A folder of the source itself. */
  addFolder(path: string, pack: PackFolder): void {
    if (path === '/') return;
    this.#leaveTo(path.slice(0, path.lastIndexOf('/')));
    const folder = this.#pinned.get(path) ?? newFolder(path);
    folder.pack = pack;
    folder.isListed = true;
    if (isEmpty(folder)) {
      const known = this.#options.known(path);
      folder.knownAt = known?.nodes.firstAt ?? -1;
      folder.known = folder.knownAt < 0 ? null : known;
    }
    this.#open.push(folder);
  }

  /** Any other item, packed. */
  addItem(path: string, node: string): void {
    const slash = path.lastIndexOf('/');
    this.#leaveTo(path.slice(0, slash));
    add(this.#top(), path.slice(slash + 1), node);
  }

  /** An item whose node is the one that was taken last out of the tree of its folder. */
  addTaken(folderPath: string, name: string, tree: KnownNodes): void {
    this.#leaveTo(folderPath);
    const folder = this.#top();
    const next = folder.known?.nodes === tree ? tree.followTaken(folder.knownAt) : -1;
    if (!keep(folder, name, next)) folder.nodes.add(name, tree.takenText());
  }

  /** Stores what is open and answers the id of the root's tree. */
  finish(): Uint8Array {
    this.#leaveTo('');
    const deepestFirst = [...this.#pinned.values()].sort((a, b) => depthOf(b.path) - depthOf(a.path));
    for (const folder of deepestFirst) {
      this.#pinned.delete(folder.path);
      if (!isEmpty(folder) || folder.isListed) this.#store(folder);
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
      top = this.#pin(next);
      this.#open.push(top);
    }
  }

  #pin(path: string): OpenFolder {
    const folder = this.#pinned.get(path) ?? newFolder(path);
    this.#pinned.set(path, folder);
    return folder;
  }

  #store(folder: OpenFolder): void {
    const slash = folder.path.lastIndexOf('/');
    const name = folder.path.slice(slash + 1);
    const subtree = this.#storeTree(folder);
    const pack = folder.pack ?? this.#options.packUnknown;
    const node = pack(Buffer.from(name, 'latin1'), subtree);
    add(this.#parentOf(folder.path.slice(0, slash)), name, node);
  }

  #storeTree(folder: OpenFolder): Uint8Array {
    const { known, path } = folder;
    if (!known || isEmpty(folder) || !known.nodes.isEnd(folder.knownAt)) {
      leaveKnown(folder);
      return this.#options.store(folder.nodes.toTree(), path);
    }
    this.#options.onKept(known.id, path);
    return known.id;
  }

  #parentOf(path: string): OpenFolder {
    const parent = this.#pinned.get(path) ?? this.#open.find((folder) => folder.path === path);
    if (!parent) throw new Error('a folder was stored before one that is in it');
    return parent;
  }

  #top(): OpenFolder {
    const top = this.#open.at(-1);
    if (!top) throw new Error('the root was left');
    return top;
  }
}

function newFolder(path: string): OpenFolder {
  return {
    path,
    nodes: new NodeList(),
    pack: null,
    isListed: false,
    known: null,
    knownAt: -1,
    lastName: '',
  };
}

function add(folder: OpenFolder, name: string, node: string): void {
  const next = folder.known ? folder.known.nodes.follow(folder.knownAt, node) : -1;
  if (!keep(folder, name, next)) folder.nodes.add(name, node);
}

/** Nothing is recorded of a node that is the next of the known tree; `next` is what comes behind it. False: it is another. */
function keep(folder: OpenFolder, name: string, next: number): boolean {
  if (!folder.known) return false;
  const isNext = next >= 0 && name > folder.lastName;
  if (!isNext) leaveKnown(folder);
  else {
    folder.knownAt = next;
    folder.lastName = name;
  }
  return isNext;
}

/** From here on the nodes are others than those of the known tree. */
function leaveKnown(folder: OpenFolder): void {
  const { known, lastName } = folder;
  folder.known = null;
  if (known && lastName !== '') folder.nodes.begin(known.nodes.before(folder.knownAt), lastName);
}

function isEmpty(folder: OpenFolder): boolean {
  return folder.nodes.isEmpty && (!folder.known || folder.lastName === '');
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || (path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f);
}

function depthOf(path: string): number {
  let depth = 0;
  for (let index = 0; index < path.length; index += 1) if (path.charCodeAt(index) === 0x2f) depth += 1;
  return depth;
}
