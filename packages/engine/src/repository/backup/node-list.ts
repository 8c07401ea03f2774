/** Items of a folder while it is walked: their JSON as text, as bytes once there are many, compressed when they are very many. */
import { compressedPart, plainBytesOf, plainPart, type TreePart } from '../tree-part.ts';

/** Nodes made into bytes at once; a folder with fewer is made in one go. */
const NODES_PER_PART = 512;
/** Further ones are compressed while they wait. */
const PLAIN_PARTS = 8;
const HEAD = '{"nodes":[';
const TAIL = ']}\n';

interface Part {
  readonly part: TreePart;
  /** Of its nodes; no name has a slash in it. */
  readonly names: string;
  /** Bytes of each node. */
  readonly lengths: readonly number[];
}

/** Collects the nodes of one folder from `packNode`; raw names as latin1 text. Most folders come in the order of their names. */
export class NodeList {
  readonly #parts: Part[] = [];
  #names: string[] = [];
  #nodes: string[] = [];
  #lastName: string | null = null;
  #isSorted = true;

  get isEmpty(): boolean {
    return this.#lastName === null;
  }

  add(name: string, node: string): void {
    if (this.#lastName !== null && name <= this.#lastName) this.#isSorted = false;
    this.#lastName = name;
    this.#names.push(name);
    this.#nodes.push(node);
    if (this.#nodes.length === NODES_PER_PART) this.#pack();
  }

  /** The tree blob in parts: nodes in byte order of their names, each name once (the last wins), as readers demand it. */
  toTree(): TreePart[] {
    if (this.#isSorted) return this.#toParts();
    const sorted = new NodeList();
    const byName = new Map(this.#all());
    for (const name of [...byName.keys()].sort()) sorted.add(name, byName.get(name) ?? '');
    return sorted.#toParts();
  }

  #toParts(): TreePart[] {
    const packed = this.#parts.map(({ part }) => part);
    const head = packed.length === 0 ? HEAD : this.#nodes.length > 0 ? ',' : '';
    return [...packed, plainPart(Buffer.from(head + this.#nodes.join(',') + TAIL))];
  }

  #pack(): void {
    const head = this.#parts.length === 0 ? HEAD : ',';
    const bytes = Buffer.from(head + this.#nodes.join(','));
    this.#parts.push({
      part: this.#parts.length < PLAIN_PARTS ? plainPart(bytes) : compressedPart(bytes),
      names: this.#names.join('/'),
      lengths: this.#nodes.map((node) => Buffer.byteLength(node)),
    });
    this.#names = [];
    this.#nodes = [];
  }

  *#all(): Generator<[string, string]> {
    for (const [number, { part, names, lengths }] of this.#parts.entries()) {
      const bytes = Buffer.from(plainBytesOf(part));
      let at = number === 0 ? HEAD.length : 1;
      for (const [index, name] of names.split('/').entries()) {
        const end = at + (lengths[index] ?? 0);
        yield [name, bytes.toString('utf8', at, end)];
        at = end + 1;
      }
    }
    for (const [index, name] of this.#names.entries()) yield [name, this.#nodes[index] ?? ''];
  }
}
