/**
 * One tree without an object per node: where each node begins and ends in the JSON, and whether it is a folder.
 *
 * A folder may hold a million items, a tree of 350 MB; a page of it, a name or a difference needs few of them. So nodes
 * are parsed one by one when they are asked for, 13 bytes of positions are kept for each, and a long scan gives way to
 * other work every few milliseconds.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '@backupx/contracts/errors';
import { fromHex, ID_BYTES } from '../format/blob-id.ts';
import { unquoteName } from '../format/go-json.ts';
import { parseTree, type TreeNode } from '../format/tree-node.ts';

/** As restic and all that follow it write a tree; anything else is rewritten first. */
const TREE_START = Buffer.from('{"nodes":[');
const NODE_START = Buffer.from('{"name":"');
const TYPE_FIELD = Buffer.from('","type":"');
const SUBTREE_FIELD = Buffer.from(',"subtree":"');
/** Quote and brace. */
const NODE_END_BYTES = 2;
const DIRECTORY = Buffer.from('dir"');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const SCAN_STEP_BYTES = 8 * 1024 * 1024;

/** Scans a tree. Throws REPOSITORY_DAMAGED when it is none. */
export async function indexTree(json: Uint8Array): Promise<TreeIndex> {
  const scanner = new TreeScanner(canonicalBytes(json));
  while (!scanner.advance(SCAN_STEP_BYTES)) await nextTurn();
  return scanner.tree();
}

/** Positions of the nodes of one tree, in the order of the tree: ascending by the bytes of the names. */
export interface TreePositions {
  readonly starts: Uint32Array;
  readonly nameEnds: Uint32Array;
  readonly ends: Uint32Array;
  readonly isFolder: Uint8Array;
  readonly count: number;
}

export class TreeIndex {
  readonly count: number;
  readonly #json: Buffer;
  readonly #positions: TreePositions;

  constructor(json: Buffer, positions: TreePositions) {
    this.#json = json;
    this.#positions = positions;
    this.count = positions.count;
  }

  /** Memory that it takes up, positions not counted. */
  get byteLength(): number {
    return this.#json.byteLength;
  }

  isFolder(number: number): boolean {
    return this.#positions.isFolder[number] === 1;
  }

  /** Bytes of the name. A view, unless the name was escaped. */
  nameOf(number: number): Buffer {
    const { starts, nameEnds } = this.#positions;
    const raw = this.#json.subarray((starts[number] ?? 0) + NODE_START.byteLength, nameEnds[number] ?? 0);
    return raw.includes(BACKSLASH) ? unescapeName(raw) : raw;
  }

  /** JSON of one node: equal bytes mean equal nodes. */
  jsonOf(number: number): Buffer {
    const { starts, ends } = this.#positions;
    return this.#json.subarray(starts[number] ?? 0, ends[number] ?? 0);
  }

  /** Parses one node. */
  nodeAt(number: number): TreeNode {
    const [node] = parseTree(Buffer.concat([TREE_START, this.jsonOf(number), Buffer.from(']}')]));
    if (!node) throw new RangeError(`there is no node ${number}`);
    return node;
  }

  /** Id of the tree of a folder. Throws REPOSITORY_DAMAGED when it has none. */
  subtreeOf(number: number): Uint8Array {
    const json = this.jsonOf(number);
    // Mostly it is the last thing in the node.
    const idAt = json.byteLength - NODE_END_BYTES - 2 * ID_BYTES;
    const fieldAt = idAt - SUBTREE_FIELD.byteLength;
    if (fieldAt > 0 && startsWith(json, fieldAt, SUBTREE_FIELD))
      return fromHex(json.toString('latin1', idAt, idAt + 2 * ID_BYTES));
    const { subtree } = this.nodeAt(number);
    if (!subtree) throw damagedTree();
    return subtree;
  }

  /** Number of the node with this name, -1 when there is none. */
  find(name: Uint8Array): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.nameOf(middle).compare(name);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** Names are Go's quoted text inside JSON's. */
function unescapeName(raw: Buffer): Buffer {
  try {
    return unquoteName(JSON.parse(`"${raw.toString('utf8')}"`) as string);
  } catch (error) {
    throw damagedTree(error);
  }
}

class TreeScanner {
  readonly #json: Buffer;
  #at = TREE_START.byteLength;
  #count = 0;
  #starts = new Uint32Array(64);
  #nameEnds = new Uint32Array(64);
  #ends = new Uint32Array(64);
  #isFolder = new Uint8Array(64);

  constructor(json: Buffer) {
    this.#json = json;
  }

  /** Scans on for about so many bytes; true when the end of the tree was reached. */
  advance(bytes: number): boolean {
    const json = this.#json;
    const pauseAt = this.#at + bytes;
    while (this.#at < pauseAt) {
      const byte = json[this.#at];
      if (byte === CLOSE_BRACKET) return true;
      if (byte === COMMA && this.#count > 0) this.#at += 1;
      this.#addNode();
    }
    return false;
  }

  tree(): TreeIndex {
    return new TreeIndex(this.#json, {
      starts: this.#starts,
      nameEnds: this.#nameEnds,
      ends: this.#ends,
      isFolder: this.#isFolder,
      count: this.#count,
    });
  }

  #addNode(): void {
    const json = this.#json;
    const start = this.#at;
    if (!startsWith(json, start, NODE_START)) throw damagedTree();
    const nameEnd = endOfString(json, start + NODE_START.byteLength);
    if (!startsWith(json, nameEnd, TYPE_FIELD)) throw damagedTree();
    const typeAt = nameEnd + TYPE_FIELD.byteLength;
    if (this.#count === this.#starts.length) this.#grow();
    this.#starts[this.#count] = start;
    this.#nameEnds[this.#count] = nameEnd;
    this.#isFolder[this.#count] = startsWith(json, typeAt, DIRECTORY) ? 1 : 0;
    this.#at = endOfObject(json, start);
    this.#ends[this.#count] = this.#at;
    this.#count += 1;
  }

  #grow(): void {
    const size = this.#starts.length * 2;
    this.#starts = enlarged(this.#starts, new Uint32Array(size));
    this.#nameEnds = enlarged(this.#nameEnds, new Uint32Array(size));
    this.#ends = enlarged(this.#ends, new Uint32Array(size));
    this.#isFolder = enlarged(this.#isFolder, new Uint8Array(size));
  }
}

function enlarged<T extends Uint32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

function startsWith(json: Buffer, at: number, text: Buffer): boolean {
  for (let index = 0; index < text.byteLength; index += 1) if (json[at + index] !== text[index]) return false;
  return true;
}

/** Index of the quote that ends the string whose first character stands at `at`. */
function endOfString(json: Buffer, at: number): number {
  for (let index = at; index < json.byteLength; index += 1) {
    const byte = json[index];
    if (byte === QUOTE) return index;
    if (byte === BACKSLASH) index += 1;
  }
  throw damagedTree();
}

/** Index after the brace that closes the object opened at `start`. */
function endOfObject(json: Buffer, start: number): number {
  let depth = 0;
  for (let index = start; index < json.byteLength; index += 1) {
    const byte = json[index];
    if (byte === QUOTE) index = endOfString(json, index + 1);
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  throw damagedTree();
}

/** The tree as it is, or, when another program wrote its JSON in another way, rewritten. */
function canonicalBytes(json: Uint8Array): Buffer {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  return isCanonical(bytes) ? bytes : rewrite(bytes);
}

/** Judged by the first node: one program writes all of them. */
function isCanonical(json: Buffer): boolean {
  if (!startsWith(json, 0, TREE_START)) return false;
  const first = TREE_START.byteLength;
  if (json[first] === CLOSE_BRACKET) return true;
  if (!startsWith(json, first, NODE_START)) return false;
  const nameEnd = endOfString(json, first + NODE_START.byteLength);
  if (!startsWith(json, nameEnd, TYPE_FIELD)) return false;
  const after = json[endOfObject(json, first)];
  return after === COMMA || after === CLOSE_BRACKET;
}

function rewrite(json: Buffer): Buffer {
  try {
    const { nodes } = JSON.parse(json.toString('utf8')) as { nodes?: { name: string; type: string }[] | null };
    if (nodes === undefined) throw new TypeError('it has no list of nodes');
    const lines = (nodes ?? []).map(({ name, type, ...rest }) => JSON.stringify({ name, type, ...rest }));
    return Buffer.from(`{"nodes":[${lines.join(',')}]}`);
  } catch (error) {
    throw damagedTree(error);
  }
}

function damagedTree(cause?: unknown): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: 'a tree is malformed' }, { cause });
}
