import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packTree } from '../format/tree-node.ts';
import { lengthOfParts, plainBytesOf } from '../tree-part.ts';
import { NodeList } from './node-list.ts';

const nodeOf = (name: string, value: number) => JSON.stringify({ name, text: `${'ü✓'.repeat(value % 7)}`, value });

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
    const name = fc.oneof(fc.string({ minLength: 1, maxLength: 3 }), fc.constantFrom('a', 'b', 'ÿ', 'a b'));
    const names = fc.array(
      name.map((text) => text.replaceAll('/', '_')),
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

  it('tells whether it has any', () => {
    const list = new NodeList();
    expect(list.isEmpty).toBe(true);
    list.add('', '{}');
    expect(list.isEmpty).toBe(false);
  });
});
