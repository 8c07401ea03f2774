/**
 * Trees of folders with very many items, a piece at a time: that of a million files is 350 MB of JSON, which is never
 * wanted as a whole. Compressed it is a fifth of that, and so it stays.
 */
import { createHash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { BlobToOpen } from './blob-reader.ts';
import { toHex } from './format/blob-id.ts';
import type { SealedBox } from './format/sealed-box.ts';
import { decompressPieces } from './format/zstd.ts';

/** Longer ones are read in pieces. */
export const LARGE_TREE_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

const HEAD = Buffer.from('{"nodes":[');
const TAIL = Buffer.from(']}');
const TREE_START = Buffer.from('{"nodes":[{"name":"');
/** End of a node and beginning of the next, in a tree as all programs write it. */
const BOUNDARY = Buffer.from('},{"name":"');
/** An attribute begins with its name as well, but a value follows. */
const TYPE_FIELD = Buffer.from('","type":"');
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A tree whose content was verified. */
export interface LargeTree {
  /**
   * Its text, each piece in a buffer of its own. Where it is written as usual each piece begins and ends with a node,
   * but for the head before the first, the comma before the first of each further one, and the tail.
   */
  pieces(): AsyncGenerator<Buffer>;
  /** The same, each piece a tree by itself. */
  trees(): AsyncGenerator<Buffer>;
}

/** Compares content, still compressed when it is, with the name of its blob, a piece at a time. Throws REPOSITORY_DAMAGED. */
export async function verifyOpened(opened: Buffer, blob: Omit<BlobToOpen, 'sealed'>): Promise<void> {
  for await (const _ of verified(chunksOf(opened, blob), blob.id));
}

/** Opens and verifies a tree. Throws REPOSITORY_DAMAGED. */
export async function openLargeTree(blob: BlobToOpen, box: SealedBox): Promise<LargeTree> {
  const opened = box.open(blob.sealed);
  await verifyOpened(opened, blob);
  const pieces = () => cutTree(chunksOf(opened, blob));
  return { pieces, trees: () => treesOf(pieces()) };
}

/** What `use` makes of each piece of a tree (see `LargeTree`), in one go. Throws REPOSITORY_DAMAGED. */
export async function mapLargeTree<T>(blob: BlobToOpen, box: SealedBox, use: (piece: Buffer) => T): Promise<T[]> {
  const made: T[] = [];
  const opened = box.open(blob.sealed);
  for await (const piece of cutTree(verified(chunksOf(opened, blob), blob.id))) made.push(use(piece));
  // Now, not at some collection: a thread that only hands trees on makes little garbage that would lead to one.
  if (opened.buffer instanceof ArrayBuffer && opened.byteLength === opened.buffer.byteLength) opened.buffer.transfer(0);
  return made;
}

/** The same chunks; throws after the last when they are not what the name says. */
async function* verified(chunks: AsyncIterable<Buffer>, id: Uint8Array): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  for await (const chunk of chunks) {
    digest.update(chunk);
    yield chunk;
  }
  if (digest.digest().equals(id)) return;
  throw new AppError('REPOSITORY_DAMAGED', { reason: `blob ${toHex(id)} is not what its name says` });
}

async function* chunksOf(opened: Buffer, { plainLength }: Pick<BlobToOpen, 'plainLength'>): AsyncGenerator<Buffer> {
  if (plainLength > 0) yield* decompressPieces(opened, plainLength);
  else for (let at = 0; at < opened.byteLength; at += PIECE_BYTES) yield opened.subarray(at, at + PIECE_BYTES);
}

async function* cutTree(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const cutter = new TreeCutter(PIECE_BYTES);
  for await (const chunk of chunks) {
    const piece = cutter.add(chunk);
    if (piece) yield piece;
  }
  const rest = cutter.end();
  if (rest.byteLength > 0) yield rest;
}

/** Makes whole trees of pieces as `TreeCutter` cuts them. */
async function* treesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let last: Buffer | null = null;
  for await (const piece of pieces) {
    if (last) yield Buffer.concat([...withHead(last), TAIL]);
    last = piece;
  }
  if (last) yield Buffer.concat(withHead(last));
}

function withHead(piece: Buffer): Buffer[] {
  return piece[0] === COMMA ? [HEAD, piece.subarray(1)] : [piece];
}

/** Cuts the text of a tree between nodes; not at all when it is not written as usual. See `LargeTree.pieces`. */
export class TreeCutter {
  readonly #pieceBytes: number;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #wanted: number;
  #isFirst = true;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
    this.#wanted = pieceBytes;
  }

  /** The next piece, once there is enough for it. */
  add(chunk: Uint8Array): Buffer | null {
    this.#waiting.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes < this.#wanted) return null;
    const text = Buffer.concat(this.#waiting);
    const isUsual = !this.#isFirst || text.subarray(0, TREE_START.byteLength).equals(TREE_START);
    const cut = isUsual ? lastNodeEnd(text) : -1;
    const rest = cut < 0 ? text : Buffer.from(text.subarray(cut));
    this.#waiting = [rest];
    this.#bytes = rest.byteLength;
    // Looked at again when there is twice as much, so that a text without a place to cut costs no square.
    this.#wanted = cut < 0 ? 2 * this.#bytes : this.#pieceBytes;
    if (cut < 0) return null;
    this.#isFirst = false;
    return Buffer.from(text.subarray(0, cut));
  }

  /** What is left. */
  end(): Buffer {
    return Buffer.concat(this.#waiting);
  }
}

/** Where the comma stands after the last node that another one is sure to follow; -1: nowhere. */
function lastNodeEnd(text: Buffer): number {
  for (let at = text.lastIndexOf(BOUNDARY); at > 0; at = text.lastIndexOf(BOUNDARY, at - 1)) {
    if (isNode(text, at + BOUNDARY.byteLength)) return at + 1;
  }
  return -1;
}

/** `nameAt`: where the name begins. */
function isNode(text: Buffer, nameAt: number): boolean {
  let at = nameAt;
  while (at < text.byteLength && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return text.subarray(at, at + TYPE_FIELD.byteLength).equals(TYPE_FIELD);
}
