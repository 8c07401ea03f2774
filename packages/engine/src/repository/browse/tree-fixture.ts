/** Trees in memory, for the tests of everything that walks them. */
import { hashOf, toHex } from '../format/blob-id.ts';
import { createMasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { packNode, packTree, type TreeNode } from '../format/tree-node.ts';
import { openLargeTree } from '../large-tree.ts';
import { TreeLoader } from './tree-loader.ts';

/** A file by its content, a folder by what is in it, or any node by its fields. */
export type TreeShape = { readonly [name: string]: string | Partial<TreeNode> | TreeFolder };

export class TreeFolder {
  readonly items: TreeShape;

  constructor(items: TreeShape) {
    this.items = items;
  }
}

export function folder(items: TreeShape): TreeFolder {
  return new TreeFolder(items);
}

export function testNode(fields: Partial<TreeNode> & { name: Buffer }): TreeNode {
  return {
    type: 'file',
    mode: 0o644,
    mtimeNs: 1_700_000_000_000_000_000n,
    atimeNs: 1_700_000_000_000_000_000n,
    ctimeNs: 1_700_000_000_000_000_000n,
    uid: 1000,
    gid: 1000,
    user: 'ann',
    group: 'ann',
    inode: 1n,
    deviceId: 1n,
    size: 0,
    links: 1,
    linkTarget: null,
    xattrs: null,
    device: 0,
    content: fields.type === undefined || fields.type === 'file' ? [] : null,
    subtree: null,
    ...fields,
  };
}

/** Names in a shape are latin1, so that a test can name bytes that are not UTF-8. */
export class TreeStore {
  readonly blobs = new Map<string, Uint8Array>();
  /** Ids of the trees that were read, in order. */
  readonly reads: string[] = [];
  /** Pieces of large trees that were read. */
  pieces = 0;
  readonly #numbers = new Map<string, number>();
  readonly loader = new TreeLoader({
    read: async (id) => {
      this.reads.push(toHex(id));
      const json = this.blobs.get(toHex(id));
      if (!json) throw new Error(`there is no tree ${toHex(id)}`);
      return json;
    },
    find: (id) => this.find(id),
    sizeOf: (id) => this.blobs.get(toHex(id))?.byteLength ?? 0,
    treePieces: (id) => this.#pieces(id),
  });

  async *#pieces(id: Uint8Array): AsyncGenerator<Buffer> {
    const box = createSealedBox(createMasterKey());
    const sealed = box.seal(this.blobs.get(toHex(id)) ?? Buffer.alloc(0));
    for await (const piece of (await openLargeTree({ id, sealed, plainLength: 0 }, box)).trees()) {
      this.pieces += 1;
      yield piece;
    }
  }

  /** Number of a blob. */
  find(id: Uint8Array): number {
    return this.#numbers.get(toHex(id)) ?? -1;
  }

  saveTree(nodes: readonly string[]): Uint8Array {
    return this.save(packTree(nodes));
  }

  save(blob: Uint8Array): Uint8Array {
    const id = hashOf(blob);
    this.blobs.set(toHex(id), blob);
    if (this.find(id) < 0) this.#numbers.set(toHex(id), this.#numbers.size);
    return id;
  }

  add(shape: TreeShape): Uint8Array {
    const names = Object.keys(shape).map((name) => Buffer.from(name, 'latin1'));
    names.sort((a, b) => a.compare(b));
    return this.saveTree(names.map((name) => packNode(this.#node(name, shape[name.toString('latin1')] ?? ''))));
  }

  #node(name: Buffer, shape: TreeShape[string]): TreeNode {
    if (shape instanceof TreeFolder) {
      return testNode({ name, type: 'dir', mode: 0o755, subtree: this.add(shape.items), links: 0 });
    }
    if (typeof shape !== 'string') return testNode({ name, ...shape });
    const content = Buffer.from(shape);
    return testNode({ name, size: content.byteLength, content: [this.save(content)] });
  }
}
