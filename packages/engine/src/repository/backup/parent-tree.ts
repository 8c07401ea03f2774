/**
 * One tree of the parent snapshot, read along with the walk: both are in the order of names, so each node is looked at
 * once, and one that says exactly what would be written now is taken as the text it is, without reading it. That of a
 * huge folder comes in parts, of which one at a time is there as text.
 */
import { isAscii } from 'node:buffer';
import type { ListedItem } from '../../ports/source.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import { JsonCursor } from '../format/json-cursor.ts';
import { parseTree, readNode } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { lengthOfParts, plainBytesOf, plainPart, type TreePart } from '../tree-part.ts';
import type { FileMatcher, TreeText } from './file-matcher.ts';
import type { KnownNodes } from './tree-builder.ts';

/** A longer part is read as a whole: its text might be longer than a string may be. */
const MAX_TEXT_BYTES = 128 * 1024 * 1024;
const HEAD = '{"nodes":[';
/** After the bracket that closes the list. */
const TAIL = '}\n';
const COMMA = 0x2c;
const CLOSE_ARRAY = 0x5d;
const HEX_ID = 2 * ID_BYTES;

export class ParentTree implements KnownNodes {
  readonly #parts: readonly TreePart[];
  readonly #sizeBytes: number;
  /** The part at hand: its number, where it begins in the tree, what it says. */
  #part = 0;
  #partAt = 0;
  #page: TreeText;
  #isAscii: boolean;
  #cursor: JsonCursor;
  /** Where the next node begins in the part, or the comma before it in the next part; -1 after the last. */
  #next: number;
  #lastName = '';
  #lastNode: TreeNode | null = null;
  /** Where in the part the node taken last begins and ends; -1 when another was looked at since. */
  #lastTakenAt = -1;
  #lastTakenEnd = -1;
  /** All nodes, for questions in another order, or a tree that is written otherwise. */
  #byName: ReadonlyMap<string, TreeNode> | null = null;

  /** Parts as `LargeTree.pieces` cuts them. */
  constructor(parts: readonly TreePart[]) {
    this.#parts = parts;
    this.#sizeBytes = lengthOfParts(parts);
    const [first] = parts;
    this.#page = pageOf(first ? plainBytesOf(first) : Buffer.alloc(0));
    this.#isAscii = isAscii(this.#page.bytes);
    this.#cursor = new JsonCursor(this.#page.bytes, 'a tree');
    this.#next = this.firstAt;
    if (this.#next < 0) this.#byName = this.#allByName();
  }

  get firstAt(): number {
    return this.#part === 0 && this.#page.text.startsWith(`${HEAD}{`) ? HEAD.length : -1;
  }

  follow(at: number, node: string): number {
    const from = at - this.#partAt;
    return this.#isAscii && this.#page.text.startsWith(node, from) ? this.#behind(from + node.length) : -1;
  }

  followTaken(at: number): number {
    return this.#lastTakenAt >= 0 && at === this.#partAt + this.#lastTakenAt ? this.#behind(this.#lastTakenEnd) : -1;
  }

  /** Where in the tree the node after the one that ends at `end` begins, or the tail; -1 when it goes on otherwise. */
  #behind(end: number): number {
    const byte = this.#page.bytes[end];
    return byte === COMMA || byte === CLOSE_ARRAY || this.#isPartEnd(end) ? this.#partAt + end + 1 : -1;
  }

  before(at: number): TreePart[] {
    const parts: TreePart[] = [];
    let left = at - 1;
    for (const part of this.#parts) {
      if (left <= 0) break;
      parts.push(left < part.plainLength ? plainPart(plainBytesOf(part).subarray(0, left)) : part);
      left -= part.plainLength;
    }
    return parts;
  }

  isEnd(at: number): boolean {
    return (
      at + TAIL.length === this.#sizeBytes &&
      this.#page.text.endsWith(`]${TAIL}`) &&
      this.#part === this.#parts.length - 1
    );
  }

  /** The node of this name (raw bytes as latin1 text). Throws REPOSITORY_DAMAGED. */
  find(name: string): TreeNode | null {
    if (name === this.#lastName) return this.#last();
    if (this.#byName === null && name < this.#lastName) this.#byName = this.#allByName();
    if (this.#byName) return this.#byName.get(name) ?? null;
    this.#lastName = name;
    this.#lastTakenAt = -1;
    this.#lastNode = this.#seek(name);
    return this.#lastNode;
  }

  /** Goes past the next node when it is that of this file and says what would be written now, see `FileMatcher`. */
  take(name: string, stats: ListedItem, matcher: FileMatcher): boolean {
    this.#enterNextPart();
    const from = this.#next;
    if (from < 0 || this.#byName) return false;
    const end = matcher.endOf(this.#page, from, name, stats);
    if (end < 0) return false;
    this.#lastName = name;
    this.#lastNode = null;
    this.#lastTakenAt = from;
    this.#lastTakenEnd = end;
    this.#goTo(end);
    return true;
  }

  /** The text of the node that was taken last, just now. */
  takenText(): string {
    return this.#page.text.slice(this.#lastTakenAt, this.#lastTakenEnd);
  }

  /** Ids of the trees of the folders from the node read last on, at most so many. */
  comingTrees(node: TreeNode, count: number): Uint8Array[] {
    const ids = node.subtree ? [node.subtree] : [];
    const key = '"subtree":"';
    for (let at = this.#next; at >= 0 && ids.length < count; ) {
      const found = this.#page.text.indexOf(key, at);
      if (found < 0) break;
      at = found + key.length;
      ids.push(Buffer.from(this.#page.text.slice(at, at + HEX_ID), 'hex'));
    }
    return ids.filter((id) => id.byteLength === ID_BYTES);
  }

  #last(): TreeNode | null {
    if (this.#lastTakenAt >= 0) {
      this.#cursor.position = this.#lastTakenAt;
      this.#lastNode = readNode(this.#cursor);
      this.#lastTakenAt = -1;
    }
    return this.#lastNode;
  }

  /** Goes past the node of this name, or to the first after it. */
  #seek(name: string): TreeNode | null {
    while (this.#next >= 0) {
      this.#enterNextPart();
      const node = this.#readAt(this.#next);
      if (!node) return this.#byName?.get(name) ?? null;
      const nodeName = node.name.toString('latin1');
      if (nodeName > name) return null;
      this.#goTo(this.#cursor.position);
      if (this.#byName) return this.#byName.get(name) ?? null;
      if (nodeName === name) return node;
    }
    return null;
  }

  /** Null when the tree is not cut between nodes: then all of it has been read. */
  #readAt(at: number): TreeNode | null {
    this.#cursor.position = at;
    try {
      return readNode(this.#cursor);
    } catch (error) {
      if (this.#parts.length === 1) throw error;
      this.#byName = this.#allByName();
      return null;
    }
  }

  /** `end`: behind a node. */
  #goTo(end: number): void {
    const byte = this.#page.bytes[end];
    const hasMore = byte === COMMA || this.#isPartEnd(end);
    this.#next = byte === COMMA ? end + 1 : hasMore ? end : -1;
    if (!hasMore && byte !== CLOSE_ARRAY) this.#byName = this.#allByName();
  }

  #isPartEnd(at: number): boolean {
    return at === this.#page.bytes.byteLength && this.#part < this.#parts.length - 1;
  }

  /** Only when the next node is asked for: until then the last one may be. */
  #enterNextPart(): void {
    const next = this.#parts[this.#part + 1];
    if (!next || !this.#isPartEnd(this.#next)) return;
    this.#last();
    this.#partAt += this.#page.bytes.byteLength;
    this.#part += 1;
    this.#page = pageOf(plainBytesOf(next));
    this.#isAscii = isAscii(this.#page.bytes);
    this.#cursor = new JsonCursor(this.#page.bytes, 'a tree');
    // It begins with the comma.
    this.#next = 1;
  }

  #allByName(): ReadonlyMap<string, TreeNode> {
    return byName(this.#parts.length === 1 ? this.#page.bytes : Buffer.concat(this.#parts.map(plainBytesOf)));
  }
}

function pageOf(bytes: Uint8Array): TreeText {
  const isHuge = bytes.byteLength > MAX_TEXT_BYTES;
  const text = isHuge ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return { bytes, text };
}

function byName(bytes: Uint8Array): Map<string, TreeNode> {
  return new Map(parseTree(bytes).map((node) => [node.name.toString('latin1'), node]));
}
