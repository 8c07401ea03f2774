/** Items of a folder while it is walked: their JSON as text, as bytes once there are many, compressed when they are very many. */
import { displayPath } from '../../ports/display-path.ts';
import { JsonCursor } from '../format/json-cursor.ts';
import { readNode } from '../format/parse-tree.ts';
import { compressedPart, plainBytesOf, plainPart, type TreePart } from '../tree-part.ts';

/** Nodes made into bytes at once; a folder with fewer is made in one go. */
const NODES_PER_PART = 512;
/** Further ones are compressed while they wait. */
const PLAIN_PARTS = 8;
const HEAD = '{"nodes":[';
const TAIL = ']}\n';

interface FoundNode {
  readonly name: string;
  readonly node: string;
  readonly isFolder: boolean;
}

/** Collects the nodes of one folder from `packNode`; raw names as latin1 text. Most folders come in the order of their names. */
export class NodeList {
  /** The first begins with the head, each further one with a comma. */
  #parts: TreePart[] = [];
  #nodes: string[] = [];
  #lastName: string | null = null;
  #isSorted = true;

  get isEmpty(): boolean {
    return this.#lastName === null;
  }

  /** The nodes of an empty list begin with those of another tree, up to that of this name: parts of it, without the tail. */
  begin(parts: readonly TreePart[], lastName: string): void {
    this.#parts = [...parts];
    this.#lastName = lastName;
  }

  add(name: string, node: string): void {
    if (this.#lastName !== null && name <= this.#lastName) this.#isSorted = false;
    this.#lastName = name;
    this.#nodes.push(node);
    if (this.#nodes.length === NODES_PER_PART) this.#pack();
  }

  /**
   * The tree blob in parts: nodes in byte order of their names, each name once (a folder, or the last), as readers demand it.
   * Throws for two folders of one name: what is in the one would be lost with it.
   */
  toTree(): TreePart[] {
    if (this.#isSorted) return this.#toParts();
    if (this.#nodes.length > 0) this.#pack();
    const sorted = new NodeList();
    const byName = new Map<string, FoundNode>();
    for (const found of this.#all()) {
      const other = byName.get(found.name);
      if (!other?.isFolder) byName.set(found.name, found);
      else if (found.isFolder && found.node !== other.node) throw twoFolders(found.name);
    }
    for (const name of [...byName.keys()].sort()) sorted.add(name, byName.get(name)?.node ?? '');
    return sorted.#toParts();
  }

  #toParts(): TreePart[] {
    const head = this.#parts.length === 0 ? HEAD : this.#nodes.length > 0 ? ',' : '';
    return [...this.#parts, plainPart(Buffer.from(head + this.#nodes.join(',') + TAIL))];
  }

  #pack(): void {
    const head = this.#parts.length === 0 ? HEAD : ',';
    const bytes = Buffer.from(head + this.#nodes.join(','));
    this.#parts.push(this.#parts.length < PLAIN_PARTS ? plainPart(bytes) : compressedPart(bytes));
    this.#nodes = [];
  }

  /** Names and nodes of all parts. */
  *#all(): Generator<FoundNode> {
    for (const [number, part] of this.#parts.entries()) {
      const bytes = Buffer.from(plainBytesOf(part));
      const cursor = new JsonCursor(bytes, 'a tree');
      for (let at = number === 0 ? HEAD.length : 1; at < bytes.byteLength; at = cursor.position + 1) {
        cursor.position = at;
        const { name, subtree } = readNode(cursor);
        yield {
          name: name.toString('latin1'),
          node: bytes.toString('utf8', at, cursor.position),
          isFolder: subtree !== null,
        };
      }
    }
  }
}

function twoFolders(name: string): Error {
  return new Error(`the folder ${displayPath(Buffer.from(name, 'latin1'))} was walked twice, one with other contents`);
}
