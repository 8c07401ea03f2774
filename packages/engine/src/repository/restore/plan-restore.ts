/**
 * Goes through the snapshot and decides item by item: folders and special items are written at once, files are begun
 * and their pieces gathered. Whenever enough has been gathered (a window) it is handed on, so that memory does not
 * grow with the number of files.
 */
import type { RestoreEntry } from '../../ports/source.ts';
import type { BlobIndex } from '../blob-index.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { compareExisting } from './compare-existing.ts';
import type { NeededBlob, PieceTarget } from './plan-requests.ts';
import { entryTypeOf, restoreEntryOf } from './restore-entry.ts';
import type { PendingFile, PieceSession, RestoreFiles } from './restore-files.ts';
import type { WalkedPart } from './walk-snapshot.ts';

const WINDOW_PIECES = 32_768;
const WINDOW_FILES = 4096;
/** Files of several pieces stay open until they are whole. */
const WINDOW_LARGE_FILES = 256;
const ZERO_CHUNK_BYTES = 512 * 1024;

export interface PlanOptions {
  readonly session: PieceSession;
  readonly files: RestoreFiles;
  readonly index: BlobIndex;
  readonly signal: AbortSignal;
  readonly isDryRun: boolean;
  /** Packs (hex) that are used only for blobs that lie nowhere else. */
  readonly avoidedPacks: ReadonlySet<string>;
  /** Bytes that are right without being written: kept, or a hole. */
  onKept(bytes: number): void;
  /** Takes over a window. */
  onWindow(blobs: readonly NeededBlob<PendingFile>[]): Promise<void>;
}

interface Piece {
  readonly id: Uint8Array;
  readonly entry: number;
  readonly position: number;
  readonly length: number;
}

interface GatheredBlob extends NeededBlob<PendingFile> {
  readonly targets: PieceTarget<PendingFile>[];
}

interface FirstName {
  readonly file: PendingFile;
  readonly path: Uint8Array;
  left: number;
}

export class RestorePlanner {
  readonly #options: PlanOptions;
  /** First names of files with several, forgotten when all of them were seen. */
  readonly #firstNames = new Map<string, FirstName>();
  #zeroChunk: Buffer | null = null;
  #window = new Map<number, GatheredBlob>();
  #pieceCount = 0;
  #fileCount = 0;
  #largeFileCount = 0;
  /** Items that no source can make: sockets. */
  skippedCount = 0;

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  async add({ path, folder, items }: WalkedPart): Promise<void> {
    if (folder) await this.#write(folder, Buffer.from(path, 'latin1'));
    const prefix = Buffer.from(`${path}/`, 'latin1');
    for (const node of items) {
      const itemPath = Buffer.concat([prefix, node.name]);
      const wait = node.type === 'file' ? this.#addFile(node, itemPath) : this.#write(node, itemPath);
      if (wait) await wait;
    }
  }

  /** Hands on what is left. */
  async finish(): Promise<void> {
    await this.#flush();
  }

  async #write(node: TreeNode, path: Buffer): Promise<void> {
    const type = entryTypeOf(node);
    if (type === null) this.skippedCount += 1;
    else await this.#options.session.write(restoreEntryOf(node, { type, path }));
  }

  #addFile(node: TreeNode, path: Buffer): Promise<void> | null {
    const { files } = this.#options;
    const first = node.links > 1 ? this.#takeFirstName(node) : null;
    if (first) return files.addName(first.file, furtherName(node, path, first.path));
    const pieces = this.#findPieces(node, path);
    if (!pieces) return null;
    const last = pieces.at(-1);
    const sizeBytes = last ? last.position + last.length : 0;
    const pending = files.begin(restoreEntryOf(node, { type: 'file', path, sizeBytes }));
    if (!pending) return null;
    if (node.links > 1) this.#rememberFirstName(node, path, pending);
    if (pending.file.existing || this.#options.isDryRun) return this.#addCompared(pending, pieces);
    return this.#gather(pending, pieces);
  }

  async #addCompared(pending: PendingFile, pieces: readonly Piece[]): Promise<void> {
    const { files, isDryRun, signal, onKept } = this.#options;
    const { file } = pending;
    const { isWhole, missing } = await compareExisting(file, pieces, { signal, isDryRun, onKept });
    if (isWhole) await files.end(pending, file.keepExisting());
    else if (isDryRun) await files.end(pending, file.finish());
    else {
      file.closeExisting();
      await this.#gather(pending, missing);
    }
  }

  /** Notes the pieces to fetch; the file waits for one more piece than that until all of them are noted. */
  #gather(pending: PendingFile, pieces: readonly Piece[]): Promise<void> | null {
    this.#fileCount += 1;
    if (pieces.length > 1) this.#largeFileCount += 1;
    if (this.#pieceCount + pieces.length > WINDOW_PIECES) return this.#gatherSlowly(pending, pieces);
    for (const piece of pieces) this.#addPiece(pending, piece);
    const isFull = this.#fileCount >= WINDOW_FILES || this.#largeFileCount >= WINDOW_LARGE_FILES;
    const wait = this.#options.files.pieceDone(pending);
    if (!isFull) return wait;
    return wait ? wait.then(() => this.#flush()) : this.#flush();
  }

  async #gatherSlowly(pending: PendingFile, pieces: readonly Piece[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#pieceCount >= WINDOW_PIECES) await this.#flush();
      this.#addPiece(pending, piece);
    }
    await this.#options.files.pieceDone(pending);
  }

  #addPiece(pending: PendingFile, piece: Piece): void {
    const { index } = this.#options;
    if (this.#isHole(pending, piece)) {
      this.#options.onKept(piece.length);
      return;
    }
    pending.left += 1;
    this.#pieceCount += 1;
    const target = { file: pending, position: piece.position };
    const known = this.#window.get(piece.entry);
    if (known) {
      known.targets.push(target);
      return;
    }
    this.#window.set(piece.entry, {
      entry: piece.entry,
      packNumber: index.packOf(piece.entry),
      offset: index.offsetOf(piece.entry),
      storedLength: index.storedLengthOf(piece.entry),
      order: this.#window.size,
      targets: [target],
    });
  }

  /** A chunk of zeros need not come: a new file has zeros where nothing was written. */
  #isHole({ file }: PendingFile, { id, length }: Piece): boolean {
    if (length !== ZERO_CHUNK_BYTES || file.existing?.use === 'continue') return false;
    this.#zeroChunk ??= hashOf(Buffer.alloc(ZERO_CHUNK_BYTES));
    return this.#zeroChunk.equals(id);
  }

  async #flush(): Promise<void> {
    const blobs = [...this.#window.values()];
    this.#window = new Map();
    this.#pieceCount = 0;
    this.#fileCount = 0;
    this.#largeFileCount = 0;
    if (blobs.length > 0) await this.#options.onWindow(blobs);
  }

  /** Null, and a problem, when a part of the file is nowhere. */
  #findPieces(node: TreeNode, path: Buffer): Piece[] | null {
    const { index, files } = this.#options;
    const pieces: Piece[] = [];
    let position = 0;
    for (const id of node.content ?? []) {
      const entry = this.#findBlob(id);
      if (entry < 0) {
        files.report(path, `its content is lost: data blob ${toHex(id)} is in no index`);
        return null;
      }
      const length = index.plainSizeOf(entry);
      pieces.push({ id, entry, position, length });
      position += length;
    }
    return pieces;
  }

  #findBlob(id: Uint8Array): number {
    const { index, avoidedPacks } = this.#options;
    const first = index.find(id, 'data');
    if (avoidedPacks.size === 0 || first < 0) return first;
    const isAvoided = (entry: number) => avoidedPacks.has(toHex(index.packId(index.packOf(entry))));
    let entry = first;
    while (entry >= 0 && isAvoided(entry)) entry = index.nextSame(entry);
    return entry < 0 ? first : entry;
  }

  #takeFirstName(node: TreeNode): FirstName | null {
    const key = `${node.deviceId}:${node.inode}`;
    const first = this.#firstNames.get(key);
    if (!first) return null;
    first.left -= 1;
    if (first.left <= 0) this.#firstNames.delete(key);
    return first;
  }

  #rememberFirstName(node: TreeNode, path: Buffer, file: PendingFile): void {
    this.#firstNames.set(`${node.deviceId}:${node.inode}`, { file, path, left: node.links - 1 });
  }
}

function furtherName(node: TreeNode, path: Uint8Array, firstName: Uint8Array): RestoreEntry {
  return restoreEntryOf(node, { type: 'hardlink', path, firstName });
}
