import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf } from './format/blob-id.ts';
import { createMasterKey } from './format/master-key.ts';
import { createSealedBox } from './format/sealed-box.ts';
import { packNode, packTree, parseTree, type TreeNode } from './format/tree-node.ts';
import { compressOnce } from './format/zstd.ts';
import { mapLargeTree, openLargeTree, TreeCutter } from './large-tree.ts';

const file = (name: string, fields: Partial<TreeNode> = {}): TreeNode => ({
  ...{ name: Buffer.from(name), type: 'file', mode: 0o644, mtimeNs: 5n, atimeNs: 5n, ctimeNs: 7n },
  ...{ uid: 0, gid: 0, user: 'root', group: 'root', inode: 1n, deviceId: 2n, size: 3, links: 1 },
  ...{ linkTarget: null, xattrs: null, device: 0n, content: [], subtree: null },
  ...fields,
});

function cut(text: Buffer, { pieceBytes = 1, chunkBytes = 64 } = {}): Buffer[] {
  const cutter = new TreeCutter(pieceBytes);
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.byteLength; at += chunkBytes) {
    const piece = cutter.add(text.subarray(at, at + chunkBytes));
    if (piece) pieces.push(piece);
  }
  const rest = cutter.end();
  return rest.byteLength > 0 ? [...pieces, rest] : pieces;
}

/** The nodes in one piece. */
function nodesIn(piece: Buffer): TreeNode[] {
  const text = piece
    .toString()
    .replace(/^\{"nodes":\[|^,/, '')
    .replace(/\]\}\n$/, '');
  return parseTree(Buffer.from(`{"nodes":[${text}]}`));
}

describe('TreeCutter', () => {
  it('cuts between nodes, wherever the chunks end, whatever names and attributes look like', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b"c', '\\', '},{"name":"x","type":"file', 'é'.repeat(40), 'z'));
    const attributes = fc.constantFrom(
      null,
      new Map([
        ['user.a', Buffer.from('1')],
        ['user.b', Buffer.from('2')],
      ]),
    );
    fc.assert(
      fc.property(names, attributes, fc.integer({ min: 1, max: 500 }), (found, xattrs, chunkBytes) => {
        const nodes = found.map((name) => file(name, { xattrs }));
        const text = Buffer.from(packTree(nodes.map(packNode)));
        const pieces = cut(text, { chunkBytes });
        expect(Buffer.concat(pieces)).toEqual(text);
        expect(pieces.flatMap(nodesIn)).toEqual(parseTree(text));
      }),
    );
  });

  it('makes pieces of the wanted size', () => {
    const text = Buffer.from(
      packTree(Array.from({ length: 500 }, (_, number) => packNode(file(`file-${1000 + number}`)))),
    );
    const pieces = cut(text, { pieceBytes: 5000 });
    expect(pieces.length).toBeGreaterThan(text.byteLength / 6000);
    for (const piece of pieces) expect(piece.byteLength).toBeLessThan(5100);
  });

  it('leaves a tree in one piece that is written otherwise', () => {
    const text = Buffer.from(packTree(['a', 'b', 'c'].map((name) => packNode(file(name))))).toString();
    for (const other of [text.replace('{"nodes":[', '{"nodes": ['), text.replace('{', '{"x":1,')]) {
      expect(cut(Buffer.from(other))).toEqual([Buffer.from(other)]);
    }
  });
});

async function allOf(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const piece of pieces) found.push(piece);
  return found;
}

describe('openLargeTree', () => {
  const box = createSealedBox(createMasterKey());
  const text = Buffer.from(packTree(Array.from({ length: 9000 }, (_, at) => packNode(file(`file-${10_000 + at}`)))));
  const compressed = { id: hashOf(text), sealed: box.seal(compressOnce(text)), plainLength: text.byteLength };

  it.each([
    ['compressed', compressed],
    ['as it is', { ...compressed, sealed: box.seal(text), plainLength: 0 }],
  ])('gives a tree that is stored %s, as often as it is asked', async (_, blob) => {
    const tree = await openLargeTree(blob, box);
    for (let time = 0; time < 2; time += 1) {
      const pieces = await allOf(tree.pieces());
      expect(await mapLargeTree(blob, box, (piece) => piece)).toEqual(pieces);
      expect(Buffer.concat(pieces).equals(text)).toBe(true);
      expect(Math.max(...pieces.map(({ byteLength }) => byteLength))).toBeLessThan(1_400_000);
    }
    const trees = await allOf(tree.trees());
    expect(trees.length).toBeGreaterThan(1);
    expect(trees.flatMap((json) => parseTree(json))).toEqual(parseTree(text));
  });

  it('refuses what is not what its name or its length says', async () => {
    for (const wrong of [{ id: Buffer.alloc(32) }, { plainLength: text.byteLength - 1 }, { plainLength: 10 ** 9 }]) {
      await expect(mapLargeTree({ ...compressed, ...wrong }, box, () => {})).rejects.toMatchObject({
        code: 'REPOSITORY_DAMAGED',
      });
      await expect(openLargeTree({ ...compressed, ...wrong }, box)).rejects.toMatchObject({
        code: 'REPOSITORY_DAMAGED',
      });
    }
    const cut = box.seal(compressOnce(text).subarray(0, -5));
    await expect(openLargeTree({ ...compressed, sealed: cut }, box)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
    });
  });
});
