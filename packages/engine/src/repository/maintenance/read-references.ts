import { ID_BYTES } from '../format/blob-id.ts';
import { JsonCursor } from '../format/json-cursor.ts';

/** Hears which blobs the items of a tree need. An id is valid until the next call. */
export interface ReferenceListener {
  onData(id: Uint8Array): void;
  onTree(id: Uint8Array): void;
}

/**
 * Reads what is of interest in a tree, and makes nothing of the rest: far quicker than `parseTree`, and no text becomes
 * longer than a string may be. As there, `null` instead of a list is an empty folder, and anything else that is no list
 * of items is damage (REPOSITORY_DAMAGED): read as an empty folder, it would have all below it deleted. `what`: how errors
 * call it.
 */
export function readReferences(json: Uint8Array, what: string, listener: ReferenceListener): void {
  const cursor = new JsonCursor(json, what);
  const item = new Item(cursor, listener);
  let hasNodes = false;
  cursor.enterObject();
  while (cursor.nextField()) {
    if (!cursor.isText('nodes')) {
      cursor.skipValue();
      continue;
    }
    hasNodes = true;
    cursor.enterArray();
    while (cursor.nextItem()) item.read();
  }
  if (!hasNodes) throw cursor.damaged();
  cursor.end();
}

class Item {
  readonly #cursor: JsonCursor;
  readonly #listener: ReferenceListener;
  readonly #id = new Uint8Array(ID_BYTES);
  /** Where the list of parts and the id of the tree stand; -1: nowhere. As in `parseTree`, a `null` does not take back what stood before. */
  #contentAt = -1;
  #subtreeAt = -1;

  constructor(cursor: JsonCursor, listener: ReferenceListener) {
    this.#cursor = cursor;
    this.#listener = listener;
  }

  /** Reads the item that begins where the cursor stands. */
  read(): void {
    const cursor = this.#cursor;
    // One without a type is restored as a file.
    let [isFile, isFolder] = [true, false];
    this.#contentAt = -1;
    this.#subtreeAt = -1;
    cursor.enterObject();
    while (cursor.nextField()) {
      if (cursor.isText('type')) {
        if (cursor.skipNull()) continue;
        cursor.readText();
        isFile = cursor.isText('file');
        isFolder = cursor.isText('dir');
      } else if (cursor.isText('content')) this.#contentAt = Math.max(this.#contentAt, this.#listAt());
      else if (cursor.isText('subtree')) this.#subtreeAt = Math.max(this.#subtreeAt, this.#textAt());
      else cursor.skipValue();
    }
    const end = cursor.position;
    if (isFile && this.#contentAt >= 0) this.#readContent();
    if (isFolder && this.#subtreeAt >= 0) this.#readSubtree();
    cursor.position = end;
  }

  /** Goes past a list; a list of something else than texts shows when it is read. -1 for `null`. */
  #listAt(): number {
    const cursor = this.#cursor;
    if (cursor.skipNull()) return -1;
    const at = cursor.position;
    cursor.enterArray();
    while (cursor.nextItem()) cursor.readText();
    return at;
  }

  #textAt(): number {
    const cursor = this.#cursor;
    if (cursor.skipNull()) return -1;
    const at = cursor.position;
    cursor.readText();
    return at;
  }

  #readContent(): void {
    const cursor = this.#cursor;
    cursor.position = this.#contentAt;
    cursor.enterArray();
    while (cursor.nextItem()) {
      cursor.readHex(this.#id);
      this.#listener.onData(this.#id);
    }
  }

  #readSubtree(): void {
    this.#cursor.position = this.#subtreeAt;
    this.#cursor.readHex(this.#id);
    this.#listener.onTree(this.#id);
  }
}
