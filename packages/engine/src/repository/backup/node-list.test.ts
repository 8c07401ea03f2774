import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packNode, packTree } from '../format/tree-node.ts';
import { compressedPart, lengthOfParts, plainBytesOf, plainPart } from '../tree-part.ts';
import { NodeList } from './node-list.ts';
import { unknownFolder } from './node-of-entry.ts';

/** Raw names as latin1 text. */
const nodeOf = (name: string, value: number) =>
  packNode({
    ...unknownFolder(Buffer.from(name, 'latin1'), Buffer.alloc(32)),
    ...{ type: 'file', subtree: null, content: [], user: 'ü✓'.repeat(value % 7), inode: BigInt(value) },
  });
const folderOf = (name: string, tree: number) =>
  packNode(unknownFolder(Buffer.from(name, 'latin1'), Buffer.alloc(32, tree)));

function treeOf(names: readonly string[]): { tree: string; parts: number } {
  const list = new NodeList();
  for (const [index, name] of names.entries()) list.add(name, nodeOf(name, index));
  const parts = list.toTree();
  expect(parts.slice(8, -1).every(({ isCompressed }) => isCompressed)).toBe(true);
  expect(lengthOfParts(parts)).toBe(Buffer.concat(parts.map(plainBytesOf)).byteLength);
  return { tree: Buffer.concat(parts.map(plainBytesOf)).toString(), parts: parts.length };
}

/** What must come out, by way of one sorted list. */
function expectedTree(names: readonly string[]): string {
  const last = new Map(names.map((name, index) => [name, nodeOf(name, index)]));
  const sorted = [...last].sort(([a], [b]) => (a < b ? -1 : 1));
  return packTree(sorted.map(([, node]) => node)).toString();
}

const named = (count: number) => Array.from({ length: count }, (_, index) => `f${String(index).padStart(6, '0')}`);

describe('NodeList', () => {
  it.each([0, 1, 511, 512, 513, 1024, 5000, 9000])('makes the tree of %d nodes in order, in parts', (count) => {
    const names = named(count);
    expect(treeOf(names)).toEqual({ tree: expectedTree(names), parts: Math.floor(count / 512) + 1 });
  });

  it('sorts what comes in any order; of equal names the last stays', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((name) => Buffer.from(name).toString('latin1'));
    const name = fc.oneof(bytes, fc.constantFrom('a', 'b', 'ÿ', 'a b'));
    const names = fc.array(
      name.map((text) => text.replace(/[/\0]|^\.+$/g, '_')),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(names, (some) => {
        expect(treeOf(some).tree).toBe(expectedTree(some));
      }),
    );
    const late = [...named(8000).slice(1000), 'f000500', ...named(1500)];
    expect(treeOf(late).tree).toBe(expectedTree(late));
  });

  it('loses no folder by another item of its name', () => {
    const list = (...nodes: readonly string[]) => {
      const names = new NodeList();
      for (const [index, node] of nodes.entries()) names.add(index === 1 ? 'b' : 'a\xff', node);
      return () => Buffer.concat(names.toTree().map(plainBytesOf)).toString();
    };
    const [folder, file, b] = [folderOf('a\xff', 1), nodeOf('a\xff', 1), nodeOf('b', 2)];
    const expected = packTree([folder, b]).toString();
    expect(list(folder, b, folder)()).toBe(expected);
    expect(list(folder, b, file)()).toBe(expected);
    expect(list(file, b, folder)()).toBe(expected);
    expect(list(folder, b, folderOf('a\xff', 2))).toThrow('the folder a\\xff');
  });

  it('goes on after the nodes of another tree', () => {
    for (const [count, more] of [
      [3, ['f9']],
      [3, ['a', 'f000001', 'f9']],
      [2000, ['f9', 'a']],
    ] as const) {
      const known = packTree(named(count).map(nodeOf));
      const cut = Math.floor(known.length / 2);
      const comma = known.indexOf(',{"name"', cut);
      const list = new NodeList();
      const first = known.subarray(0, comma);
      list.begin([plainPart(first), compressedPart(known.subarray(comma, -3))], named(count).at(-1) ?? '');
      for (const [index, name] of more.entries()) list.add(name, nodeOf(name, count + index));
      const tree = Buffer.concat(list.toTree().map(plainBytesOf)).toString();
      expect(tree).toBe(expectedTree([...named(count), ...more]));
    }
  });

  it('tells whether it has any', () => {
    const list = new NodeList();
    expect(list.isEmpty).toBe(true);
    list.add('a', '{}');
    expect(list.isEmpty).toBe(false);
  });
});
