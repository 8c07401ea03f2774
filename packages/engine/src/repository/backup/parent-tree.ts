/**
 * One tree of the parent snapshot, read along with the walk: both are in the order of names, so each node is looked at
 * once, and one that says exactly what would be written now is taken as the text it is, without reading it. That of a
 * huge folder comes in parts, of which one at a time is there as text.
 */
import { isAscii } from 'node:buffer';
import type { ItemIdentity } from '../../ports/source.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import { isPlainName } from '../format/go-json.ts';
import { formatGoTime } from '../format/go-time.ts';
import { JsonCursor } from '../format/json-cursor.ts';
import { parseTree, readNode } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { lengthOfParts, plainBytesOf, type TreePart } from '../tree-part.ts';
import type { KnownNodes } from './tree-builder.ts';

/** What the source says of a file before opening it. */
export interface ListedFile {
  readonly modifiedAtNs: bigint;
  readonly identity: ItemIdentity;
}

/** A file that may be as it was. */
export interface WantedFile {
  readonly listed: ListedFile;
  /** From `ownerFields`. */
  readonly owner: string;
  /** True for a data blob that is stored. The array is used again. */
  isKnown(id: Uint8Array): boolean;
}

/** The node of a file that is as it was, as text. */
export interface TakenNode {
  readonly text: string;
  /** The tree, and where in it the node begins. */
  readonly tree: KnownNodes;
  readonly at: number;
  /** Its mode as it stands there. */
  readonly modeText: string;
}

/** A longer part is read as a whole: its text might be longer than a string may be. */
const MAX_TEXT_BYTES = 128 * 1024 * 1024;
const HEAD = '{"nodes":[';
/** After the bracket that closes the list. */
const TAIL = '}\n';
const COMMA = 0x2c;
const QUOTE = 0x22;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;
const HEX_ID = 2 * ID_BYTES;

export class ParentTree implements KnownNodes {
  readonly #parts: readonly TreePart[];
  readonly #sizeBytes: number;
  /** The part at hand: its number, where it begins in the tree, its bytes. */
  #part = 0;
  #partAt = 0;
  #bytes: Uint8Array;
  /** One character per byte; empty for a huge one. */
  #text: string;
  #isAscii: boolean;
  #cursor: JsonCursor;
  readonly #scratch = Buffer.alloc(ID_BYTES);
  /** Where the next node begins in the part, or the comma before it in the next part; -1 after the last. */
  #next: number;
  #lastName = '';
  #lastNode: TreeNode | null = null;
  #lastTakenAt = -1;
  /** All nodes, for questions in another order, or a tree that is written otherwise. */
  #byName: ReadonlyMap<string, TreeNode> | null = null;

  /** Parts as `LargeTree.pieces` cuts them. */
  constructor(parts: readonly TreePart[]) {
    this.#parts = parts;
    this.#sizeBytes = lengthOfParts(parts);
    const [first] = parts;
    this.#bytes = first ? plainBytesOf(first) : Buffer.alloc(0);
    this.#text = textOf(this.#bytes);
    this.#isAscii = isAscii(this.#bytes);
    this.#cursor = new JsonCursor(this.#bytes, 'a tree');
    this.#next = this.firstAt;
    if (this.#next < 0) this.#byName = this.#allByName();
  }

  get firstAt(): number {
    return this.#part === 0 && this.#text.startsWith(`${HEAD}{`) ? HEAD.length : -1;
  }

  follow(at: number, node: string | TakenNode): number {
    let end = -1;
    if (typeof node !== 'string') end = node.tree === this && node.at === at ? at + node.text.length : -1;
    else if (this.#isAscii && this.#text.startsWith(node, at - this.#partAt)) end = at + node.length;
    if (end < 0) return -1;
    const byte = this.#bytes[end - this.#partAt];
    return byte === COMMA || byte === CLOSE_ARRAY || this.#isPartEnd(end - this.#partAt) ? end + 1 : -1;
  }

  isEnd(at: number): boolean {
    return (
      at + TAIL.length === this.#sizeBytes && this.#text.endsWith(`]${TAIL}`) && this.#part === this.#parts.length - 1
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

  /**
   * The next node, when it is that of this file and says what would be written now: same name, times, inode, device and
   * size, one link, no attributes, the owner text, contents that are all known. The mode is for the caller to compare.
   */
  take(name: string, { listed, owner, isKnown }: WantedFile): TakenNode | null {
    this.#enterNextPart();
    const from = this.#next;
    if (from < 0 || this.#byName || name <= this.#lastName || listed.identity.linkCount !== 1) return null;
    if (!isPlainName(name)) return null;
    const start = `{"name":"${name}","type":"file","mode":`;
    if (!this.#text.startsWith(start, from)) return null;
    const modeAt = from + start.length;
    const modeEnd = this.#endOfDigits(modeAt);
    const middle = middleOf(listed, owner);
    if (!this.#text.startsWith(middle, modeEnd)) return null;
    const end = this.#endOfContent(modeEnd + middle.length, isKnown);
    if (end < 0) return null;
    this.#lastName = name;
    this.#lastNode = null;
    this.#lastTakenAt = from;
    this.#goTo(end);
    const text = this.#text.slice(from, end);
    return { text, tree: this, at: this.#partAt + from, modeText: this.#text.slice(modeAt, modeEnd) };
  }

  /** Ids of the trees of the folders from the node read last on, at most so many. */
  comingTrees(node: TreeNode, count: number): Uint8Array[] {
    const ids = node.subtree ? [node.subtree] : [];
    const key = '"subtree":"';
    for (let at = this.#next; at >= 0 && ids.length < count; ) {
      const found = this.#text.indexOf(key, at);
      if (found < 0) break;
      at = found + key.length;
      ids.push(Buffer.from(this.#text.slice(at, at + HEX_ID), 'hex'));
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
    const byte = this.#bytes[end];
    const hasMore = byte === COMMA || this.#isPartEnd(end);
    this.#next = byte === COMMA ? end + 1 : hasMore ? end : -1;
    if (!hasMore && byte !== CLOSE_ARRAY) this.#byName = this.#allByName();
  }

  #isPartEnd(at: number): boolean {
    return at === this.#bytes.byteLength && this.#part < this.#parts.length - 1;
  }

  /** Only when the next node is asked for: until then the last one may be. */
  #enterNextPart(): void {
    const next = this.#parts[this.#part + 1];
    if (!next || !this.#isPartEnd(this.#next)) return;
    this.#last();
    this.#partAt += this.#bytes.byteLength;
    this.#part += 1;
    this.#bytes = plainBytesOf(next);
    this.#text = textOf(this.#bytes);
    this.#isAscii = isAscii(this.#bytes);
    this.#cursor = new JsonCursor(this.#bytes, 'a tree');
    // It begins with the comma.
    this.#next = 1;
  }

  #allByName(): ReadonlyMap<string, TreeNode> {
    return byName(this.#parts.length === 1 ? this.#bytes : Buffer.concat(this.#parts.map(plainBytesOf)));
  }

  #endOfDigits(from: number): number {
    let at = from;
    for (let byte = this.#bytes[at] ?? 0; byte >= 0x30 && byte <= 0x39; byte = this.#bytes[at] ?? 0) at += 1;
    return at;
  }

  /** End of the node whose list of ids begins at `from`; -1: not all of them are known, or there is more. */
  #endOfContent(from: number, isKnown: (id: Uint8Array) => boolean): number {
    const bytes = this.#bytes;
    let at = from;
    while (bytes[at] === QUOTE) {
      if (!readLowerHex(bytes, at + 1, this.#scratch) || bytes[at + HEX_ID + 1] !== QUOTE) return -1;
      if (!isKnown(this.#scratch)) return -1;
      at += HEX_ID + 2;
      // Behind a comma there must be another.
      if (bytes[at] === COMMA && bytes[at + 1] === QUOTE) at += 1;
      else break;
    }
    return bytes[at] === CLOSE_ARRAY && bytes[at + 1] === CLOSE_OBJECT ? at + 2 : -1;
  }
}

/** Values of the hex digits that we write, by character code; 255 for everything else. */
const DIGIT_VALUES = new Uint8Array(256).fill(255);
for (const [value, digit] of [...'0123456789abcdef'].entries()) DIGIT_VALUES[digit.charCodeAt(0)] = value;

/** Fills `target`; false when there are others than small hex digits. */
function readLowerHex(bytes: Uint8Array, from: number, target: Uint8Array): boolean {
  for (let index = 0; index < ID_BYTES; index += 1) {
    const high = DIGIT_VALUES[bytes[from + 2 * index] ?? 0] ?? 255;
    const low = DIGIT_VALUES[bytes[from + 2 * index + 1] ?? 0] ?? 255;
    if ((high | low) > 15) return false;
    target[index] = (high << 4) | low;
  }
  return true;
}

let lastDevice = -1n;
let lastDeviceText = '';

/** What follows the mode of a file up to its first content id, as `packNode` writes it. */
function middleOf({ modifiedAtNs, identity }: ListedFile, owner: string): string {
  const mtime = formatGoTime(modifiedAtNs);
  const ctime = identity.changedAtNs === modifiedAtNs ? mtime : formatGoTime(identity.changedAtNs);
  if (identity.device !== lastDevice) {
    lastDevice = identity.device;
    lastDeviceText = lastDevice === 0n ? '' : `,"device_id":${lastDevice}`;
  }
  return (
    `,"mtime":"${mtime}","atime":"${mtime}","ctime":"${ctime}"${owner}` +
    (identity.inode === 0n ? '' : `,"inode":${identity.inode}`) +
    lastDeviceText +
    (identity.sizeBytes === 0n ? '' : `,"size":${identity.sizeBytes}`) +
    ',"links":1,"content":['
  );
}

function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength > MAX_TEXT_BYTES) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function byName(bytes: Uint8Array): Map<string, TreeNode> {
  return new Map(parseTree(bytes).map((node) => [node.name.toString('latin1'), node]));
}
